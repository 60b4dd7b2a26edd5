//! Glossary: the concept's names, the field's terms, and where each is in the code.
//!
//! *What is an Emissary, and what is it called elsewhere?* The engine's concept has names of its own. Each is a known
//! method; the table has the field's term, and links to the type.
//!
//! | concept | the field's term | in the code |
//! |---|---|---|
//! | KAIROS, `T_tau` | temporal coherence: normalised lagged autocorrelation, the g1(tau) of optics | [`kernel::Resonance`], [`kernel::Pyramid`] for many lags |
//! | order | mean squared magnitude of temporal coherence over the lags, 0 to 1 | [`Coherence::order`], [`kernel::Reading::order`] |
//! | Emissary | short-window estimator of temporal coherence | [`Role::Emissary`], [`kernel::Transducer`] |
//! | Master | long-window estimator of temporal coherence | [`Role::Master`], [`kernel::Transducer`] |
//! | Synchronization | agreement of the two windows | [`kernel::Synchrony`], [`kernel::SynchronyReport`] |
//! | aligned | the windows agree in magnitude | [`Coherence::aligned`] |
//! | apart | the windows diverged | [`kernel::SynchronyReport::apart`] |
//! | collapsed | phase-locked, with hysteresis and dwell | [`Coherence::collapsed`] |
//! | dissipated | alarm: the readings contradict the self-model | [`Coherence::dissipated`], [`Verdict::dissipated`] |
//! | Witness, W = G\[W\] | one-step linear predictor (VARX, ridge regression) learned in warm-up, and its residual | [`Witness`], [`kernel::SelfModel`], [`kernel::Trainer`] |
//! | self-model | the learned predictor | [`kernel::SelfModel`] |
//! | surprise | normalised detection statistic: the mean of K1, K2, K3, each over its threshold | [`Coherence::surprise`], [`Verdict::surprise`] |
//! | coherence | 1 / (1 + surprise): 1 without residual, 0.5 at the thresholds | [`Coherence::coherence`] |
//! | K1 | autocorrelation of the residual | [`Verdict::k1`] |
//! | K2 | mean shift of the residual (MEWMA) | [`Verdict::k2`] |
//! | K3 | energy of the residual (windowed NIS) | [`Verdict::k3`] |
//! | thresholds | detection thresholds, of warm-up or of a calibration | [`kernel::Thresholds`] |
//! | blame | fault isolation: each channel's share of the statistic | [`Verdict::blame`] |
//! | cause | isolated channel | [`Verdict::cause`], [`Witness::cause`] |
//! | governor | safety supervisor: speed limiter, latched stop | [`GovernorSpec`], [`Governor`] |
//! | BLEND | event memory with decay and recall | [`kernel::Blend`], [`memory::Blend`](crate::systems::coherence::memory::Blend) |
//! | signature | feature vector of an event | [`kernel::Signature`] |
//! | fleet | coupled phase oscillators (Kuramoto, mean field) | [`kernel::Kuramoto`], [`Fleet`] |
//!
//! Parts of a run:
//!
//! | here | the field's term | in the code |
//! |---|---|---|
//! | agent | robot, vehicle or instrument | [`scene::Agent`](crate::components::scene::Agent) |
//! | kind | type of sensor, controller, fault or driver that scenes can name | [`Kind`], [`Kinds`] |
//! | measurement | message type of a sensor | [`Measurement`] |
//! | channel | one number of a sensor, as diagnosis takes it | [`FeatureChannel`] |
//! | feature | what is computed of a number: value, rate | [`Feature`] |
//! | truth | ground truth | [`Truth`] |
//! | request | external command with an expiry | [`Request`] |
//! | stop | latched stop on request, which is cleared on request only | [`Stopped`], [`StopQueue`] |
//! | place | named goal position of a scene | [`PlaceSpec`] |
//! | source | data source of a sensor or sink of a drive | [`Source`] |
//! | link | connection between a driver and the tick | [`Link`] |
//! | journal | recording from which a run can be repeated | `becomingone-record` |
//! | tick | one step of simulated time | [`Tick`], [`SimTime`] |
//! | state hash | checksum of the whole state, chained over ticks | [`StateHash`] |
//!
//! [What the numbers mean](super::numbers) shows these in the summary and in scores.
//!
//! [`Coherence`]: crate::components::coherence::Coherence
//! [`Coherence::order`]: crate::components::coherence::Coherence::order
//! [`Coherence::aligned`]: crate::components::coherence::Coherence::aligned
//! [`Coherence::collapsed`]: crate::components::coherence::Coherence::collapsed
//! [`Coherence::dissipated`]: crate::components::coherence::Coherence::dissipated
//! [`Coherence::surprise`]: crate::components::coherence::Coherence::surprise
//! [`Coherence::coherence`]: crate::components::coherence::Coherence::coherence
//! [`Role::Emissary`]: crate::kernel::Role::Emissary
//! [`Role::Master`]: crate::kernel::Role::Master
//! [`Verdict::dissipated`]: crate::kernel::Verdict::dissipated
//! [`Verdict::surprise`]: crate::kernel::Verdict::surprise
//! [`Verdict::k1`]: crate::kernel::Verdict::k1
//! [`Verdict::k2`]: crate::kernel::Verdict::k2
//! [`Verdict::k3`]: crate::kernel::Verdict::k3
//! [`Verdict::blame`]: crate::kernel::Verdict::blame
//! [`Verdict::cause`]: crate::kernel::Verdict::cause
//! [`kernel::Blend`]: crate::kernel::Blend
//! [`kernel::Kuramoto`]: crate::kernel::Kuramoto
//! [`kernel::Pyramid`]: crate::kernel::Pyramid
//! [`kernel::Reading::order`]: crate::kernel::Reading::order
//! [`kernel::Resonance`]: crate::kernel::Resonance
//! [`kernel::SelfModel`]: crate::kernel::SelfModel
//! [`kernel::Signature`]: crate::kernel::Signature
//! [`kernel::Synchrony`]: crate::kernel::Synchrony
//! [`kernel::SynchronyReport`]: crate::kernel::SynchronyReport
//! [`kernel::SynchronyReport::apart`]: crate::kernel::SynchronyReport::apart
//! [`kernel::Thresholds`]: crate::kernel::Thresholds
//! [`kernel::Trainer`]: crate::kernel::Trainer
//! [`kernel::Transducer`]: crate::kernel::Transducer
//! [`Witness`]: crate::systems::diagnosis::witness::Witness
//! [`Witness::cause`]: crate::systems::diagnosis::witness::Witness::cause
//! [`GovernorSpec`]: crate::components::governor::GovernorSpec
//! [`Governor`]: crate::components::governor::Governor
//! [`Fleet`]: crate::components::fleet::Fleet
//! [`Kind`]: crate::components::kind::Kind
//! [`Kinds`]: crate::systems::kinds::Kinds
//! [`Measurement`]: crate::components::sensor::Measurement
//! [`FeatureChannel`]: crate::systems::diagnosis::features::FeatureChannel
//! [`Feature`]: crate::components::feature::Feature
//! [`Truth`]: crate::components::sensor::Truth
//! [`Request`]: crate::components::request::Request
//! [`Stopped`]: crate::components::request::Stopped
//! [`StopQueue`]: crate::systems::control::stop::StopQueue
//! [`PlaceSpec`]: crate::components::world::PlaceSpec
//! [`Source`]: crate::components::link::Source
//! [`Link`]: crate::components::link::Link
//! [`Tick`]: crate::systems::tick::Tick
//! [`SimTime`]: crate::components::time::SimTime
//! [`StateHash`]: crate::systems::hash::StateHash

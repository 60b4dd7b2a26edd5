//! What do the numbers in the summary and in the scores mean?
//!
//! ```text
//! becomingone run robot      # order, coherence, surprise: the table `kernel`
//! ```
//!
//! Tables are judged by other statistics: [How are faults found in a table?](super::tables)
//!
//! The kernel computes one quantity of two inputs: `T`, the **temporal coherence** (normalised lagged autocorrelation),
//! with a magnitude of 0 to 1.
//!
//! | T of | gives | high means | is that good? |
//! |---|---|---|---|
//! | the channels | **order** | a periodic motion persists: a gait, a rotor, wheels that roll | neither good nor bad |
//! | the residual of the self-model | **surprise** | the sensors contradict the prediction persistently | no: a fault, or a new situation |
//!
//! # What is `order`?
//!
//! `order` is the mean of |T|² over a few lags in the window of the Emissary (short, 1 s); `order_master` in that of the
//! Master (long, 60 s). They are `aligned` while the two agree, and `collapsed` once the rhythm is phase-locked. The
//! order of a robot that stops, turns and drives on rises and falls with the motion. That is no fault.
//!
//! Order does not detect faults: on a real machine's eight sensors it separated faulty from healthy rows
//! as well as a coin (area under the curve 0.46 to 0.63 over 32 settings), while surprise reaches 0.95.
//!
//! # What is `surprise`?
//!
//! The Witness (the self-model) is a linear predictor that is learned while all is well: each sensor's next value from
//! the last ones, from their short mean, and from the commands. Then it is frozen. The residual of the prediction is the
//! **innovation**. On a healthy machine it is white noise. Three statistics test it, each blind to what the others detect:
//!
//! | | statistic | detects | is blind to |
//! |---|---|---|---|
//! | `k1` | autocorrelation of the innovation, 0 to 1 | a small contradiction that persists | size |
//! | `k2` | mean shift over 20 samples (MEWMA), about 1 when healthy | a bias, a scale, a drift | what has no sign |
//! | `k3` | energy over 10 samples (windowed NIS), about 1 when healthy | anything large: a jump, a broken wire | what is small |
//!
//! Each is divided by its threshold. `surprise` is the *mean* of the three ratios: 1 when all three are at their
//! thresholds, or one alone at three times its own. `coherence` is 1/(1 + surprise): 1 when sensors, past and
//! commands agree, 0.5 at the alarm, and no value (null) before the self-model is trained. `dissipated` is the alarm
//! itself, delayed by a few samples at both ends; `cause` is the isolated channel, the one with the largest share.
//!
//! # What do I do when...
//!
//! - **there is no value?** The self-model has not seen 400 samples yet (8 s at the kernel's 50 Hz). Whatever the machine does in that time is learned as healthy. Let it do everything that it will do later.
//! - **there are alarms in good times?** The machine does something that was not in the training data: set a longer
//!   warm-up, or calibrate the thresholds on nominal runs. Thresholds hold for one plant, not for the next.
//! - **a fault raises no alarm?** Look at `k1`, `k2`, `k3` in the recording, each over its threshold: their mean has to
//!   exceed 1. A fault that is present from the first sample on is learned as healthy.
//! - **the wrong channel is named?** A scale error or bias contradicts all predictions made from that channel; the largest
//!   share is named, and the recording holds all shares.
//! - **the alarm never ends?** The change is permanent: a new part, a new load. The self-model does not adapt, as it
//!   would otherwise learn slow faults. Train it again.

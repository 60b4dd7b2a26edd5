//! Numbers that Python sees as arrays which it cannot write to, not by their base either.

use numpy::PyArray;
use numpy::ndarray::{ArrayView, Dim, Dimension, IntoDimension, Ix};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers in memory of its own.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Buffer {
    /// Bits of the numbers: they are written while arrays show them.
    bits: Box<[AtomicU64]>,
}

impl Buffer {
    pub(crate) fn new(numbers: &[f64]) -> Self {
        let bits = numbers.iter().map(|x| AtomicU64::new(x.to_bits()));
        Self {
            bits: bits.collect(),
        }
    }

    /// Overwrites numbers from this one on; those beyond the end are left out.
    pub(crate) fn write(&self, from: usize, numbers: &[f64]) {
        let bits = self.bits.get(from..).unwrap_or_default();
        for (to, x) in bits.iter().zip(numbers) {
            to.store(x.to_bits(), Ordering::Relaxed);
        }
    }

    /// The numbers as an array of this shape, which keeps them alive.
    pub(crate) fn array<'py, const N: usize>(
        this: &Bound<'py, Self>,
        shape: [Ix; N],
    ) -> PyResult<Bound<'py, PyArray<f64, Dim<[Ix; N]>>>>
    where
        [Ix; N]: IntoDimension<Dim = Dim<[Ix; N]>>,
        Dim<[Ix; N]>: Dimension,
    {
        let bits = &this.get().bits;
        if shape.iter().product::<usize>() != bits.len() {
            let text = format!("found {} numbers for an array of {shape:?}", bits.len());
            return Err(crate::errors::argument(text));
        }
        #[expect(unsafe_code, reason = "an array over memory that is not its own")]
        // SAFETY: an `AtomicU64` has the size and alignment of an `f64`, any bits are one, and there are as many as the
        // shape has. The buffer is frozen, its box is never moved, and the array holds the buffer. It is written while the
        // interpreter is attached.
        let array = unsafe {
            let view = ArrayView::from_shape_ptr(shape, bits.as_ptr().cast::<f64>());
            PyArray::borrow_from_array(&view, this.clone().into_any())
        };
        array.call_method1("setflags", (false,))?;
        Ok(array)
    }
}

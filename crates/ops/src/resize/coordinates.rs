//! Where output positions of a resized axis lie on the input axis.
use deeplift_graph::{bail, Result};

/// `coordinate_transformation_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNearest,
    TfCropAndResize,
}

impl Coordinates {
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "half_pixel" => Coordinates::HalfPixel,
            "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNearest,
            "tf_crop_and_resize" => Coordinates::TfCropAndResize,
            _ => bail!(InvalidModel, "coordinate_transformation_mode '{name}' is unknown"),
        })
    }
}

/// One resized axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Positions before and after.
    pub from: usize,
    pub to: usize,
    /// Output positions per input position.
    pub scale: f64,
    /// The part of the axis that is shown, in fractions of it.
    pub roi: (f64, f64),
}

impl Axis {
    /// The coordinate of output position `at`, in units of input positions. With `single`, every step is rounded to
    /// float32: the nearest position at ties is then the one that runtimes take.
    pub fn coordinate(&self, mode: Coordinates, at: usize, single: bool) -> f64 {
        let r = |v: f64| if single { f64::from(v as f32) } else { v };
        let (x, n, scale) = (at as f64, self.from as f64, r(self.scale));
        // Not a whole number where the file gives a scale.
        let length = r(scale * n);
        let half = |x: f64| r(r(r(x + 0.5) / scale) - 0.5);
        match mode {
            Coordinates::HalfPixel => half(x),
            Coordinates::PytorchHalfPixel if self.to <= 1 => 0.0,
            Coordinates::PytorchHalfPixel => half(x),
            Coordinates::HalfPixelSymmetric => {
                let adjustment = r(self.to as f64 / length);
                let offset = r(r(n / 2.0) * r(1.0 - adjustment));
                r(offset + half(x))
            }
            Coordinates::AlignCorners if self.to <= 1 || length == 1.0 => 0.0,
            Coordinates::AlignCorners => r(r(x * (n - 1.0)) / r(length - 1.0)),
            Coordinates::Asymmetric => r(x / scale),
            Coordinates::TfHalfPixelForNearest => r(r(x + 0.5) / scale),
            Coordinates::TfCropAndResize => {
                let (start, end) = (r(self.roi.0), r(self.roi.1));
                if self.to <= 1 {
                    r(r(0.5 * r(start + end)) * (n - 1.0))
                } else {
                    r(r(start * (n - 1.0)) + r(r(x * r(r(end - start) * (n - 1.0))) / r(length - 1.0)))
                }
            }
        }
    }

    /// Whether a coordinate of a crop lies beyond the axis.
    pub fn is_outside(&self, x: f64) -> bool {
        x < 0.0 || x > self.from as f64 - 1.0
    }
}

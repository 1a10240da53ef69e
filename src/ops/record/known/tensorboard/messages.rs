//! The protobuf messages in TensorBoard's event files, as far as they are read.
//!
//! Fields that are not named here are passed over.

use std::collections::BTreeMap;

/// How many elements of a tensor are read.
const ELEMENTS_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// Unix seconds.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// The step.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// What was logged.
    #[prost(message, optional, tag = "5")]
    pub summary: Option<Summary>,
}

/// What was logged at once.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<SummaryValue>,
}

/// One value under its tag.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SummaryValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// A scalar of the old form.
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    /// An image of the old form.
    #[prost(message, optional, tag = "4")]
    pub image: Option<Image>,
    /// A histogram of the old form.
    #[prost(message, optional, tag = "5")]
    pub histogram: Option<Histogram>,
    /// A sound.
    #[prost(message, optional, tag = "6")]
    pub audio: Option<Audio>,
    /// Anything of the new form.
    #[prost(message, optional, tag = "8")]
    pub tensor: Option<Tensor>,
    /// What it is.
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<Metadata>,
}

/// What a tag is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metadata {
    /// Whose it is.
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
}

/// The plugin that shows a tag.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PluginData {
    /// Its name.
    #[prost(string, tag = "1")]
    pub plugin_name: String,
    /// What is its own.
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

/// An encoded image.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Image {
    /// PNG or the like.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// A sound, which is not read.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Audio {}

/// A histogram by the upper limits of its buckets.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    /// The least value.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// The greatest value.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// The limits.
    #[prost(double, repeated, tag = "6")]
    pub limits: Vec<f64>,
    /// What lies below each, and above the one before.
    #[prost(double, repeated, tag = "7")]
    pub counts: Vec<f64>,
}

/// A tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tensor {
    /// The type of its elements.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
    /// Its elements as they lie in memory.
    #[prost(bytes = "vec", tag = "4")]
    pub content: Vec<u8>,
    /// Its elements, if they are of this type.
    #[prost(float, repeated, tag = "5")]
    pub floats: Vec<f32>,
    /// Its elements, if they are of this type.
    #[prost(double, repeated, tag = "6")]
    pub doubles: Vec<f64>,
    /// Its elements, if they are integers of up to 32 bits.
    #[prost(int32, repeated, tag = "7")]
    pub ints: Vec<i32>,
    /// Its elements, if they are of this type.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub strings: Vec<Vec<u8>>,
    /// Its elements, if they are of this type.
    #[prost(int64, repeated, tag = "10")]
    pub longs: Vec<i64>,
    /// Its elements, if they are of this type.
    #[prost(bool, repeated, tag = "11")]
    pub bools: Vec<bool>,
}

/// A tensor's shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Shape {
    /// Its dimensions.
    #[prost(message, repeated, tag = "2")]
    pub dimensions: Vec<Dimension>,
}

/// One dimension.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dimension {
    /// How many.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// What the hyperparameter plugin keeps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HyperparametersData {
    /// What a session began with.
    #[prost(message, optional, tag = "3")]
    pub session_start: Option<SessionStart>,
}

/// What a session began with.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionStart {
    /// Its hyperparameters.
    #[prost(btree_map = "string, message", tag = "1")]
    pub hyperparameters: BTreeMap<String, AnyValue>,
}

/// A number, a text or a boolean.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AnyValue {
    /// As a number.
    #[prost(double, optional, tag = "2")]
    pub number: Option<f64>,
    /// As text.
    #[prost(string, optional, tag = "3")]
    pub text: Option<String>,
    /// As a boolean.
    #[prost(bool, optional, tag = "4")]
    pub bool: Option<bool>,
}

impl Tensor {
    /// Whether it holds one number.
    pub fn is_number(&self) -> bool {
        self.elements() == Some(1) && self.numbers().len() == 1
    }

    /// Its elements as doubles; none if it holds no numbers.
    pub fn numbers(&self) -> Vec<f64> {
        if !self.content.is_empty() {
            return self.unpacked();
        }
        let mut numbers: Vec<f64> = self.doubles.clone();
        numbers.extend(self.floats.iter().map(|float| f64::from(*float)));
        numbers.extend(self.ints.iter().map(|int| f64::from(*int)));
        numbers.extend(self.longs.iter().map(|long| *long as f64));
        numbers.extend(self.bools.iter().map(|bool| f64::from(u8::from(*bool))));
        // Equal elements at the end are written once.
        if let (Some(last), Some(elements)) = (numbers.last().copied(), self.elements()) {
            numbers.resize(elements.min(ELEMENTS_MAX).max(numbers.len()), last);
        }
        numbers
    }

    /// Its elements as text, a line each.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.strings.iter().map(|line| String::from_utf8_lossy(line)).collect();
        lines.join("\n")
    }

    fn elements(&self) -> Option<usize> {
        let dimensions = self.shape.iter().flat_map(|shape| &shape.dimensions);
        dimensions
            .map(|dimension| usize::try_from(dimension.size).ok())
            .try_fold(1_usize, |product, size| product.checked_mul(size?))
    }

    fn unpacked(&self) -> Vec<f64> {
        let bytes = &self.content;
        match self.kind {
            1 => elements(bytes, |bytes| f32::from_le_bytes(bytes).into()),
            2 => elements(bytes, f64::from_le_bytes),
            3 => elements(bytes, |bytes| i32::from_le_bytes(bytes).into()),
            4 | 10 => elements(bytes, |[byte]| byte.into()),
            5 => elements(bytes, |bytes| i16::from_le_bytes(bytes).into()),
            6 => elements(bytes, |bytes| i8::from_le_bytes(bytes).into()),
            9 => elements(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            14 => elements(bytes, |[low, high]| f32::from_le_bytes([0, 0, low, high]).into()),
            17 => elements(bytes, |bytes| u16::from_le_bytes(bytes).into()),
            19 => elements(bytes, |bytes| half(u16::from_le_bytes(bytes))),
            22 => elements(bytes, |bytes| u32::from_le_bytes(bytes).into()),
            23 => elements(bytes, |bytes| u64::from_le_bytes(bytes) as f64),
            _ => Vec::new(),
        }
    }
}

fn elements<const SIZE: usize>(bytes: &[u8], read: impl Fn([u8; SIZE]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().take(ELEMENTS_MAX).map(|chunk| read(*chunk)).collect()
}

/// A half as a double.
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 0x1f, f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    };
    if sign == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_type() {
        let packed = |kind, content: &[u8]| Tensor { kind, content: content.to_owned(), ..Tensor::default() };
        let table = [
            (packed(1, &0.5_f32.to_le_bytes()), 0.5),
            (packed(2, &0.1_f64.to_le_bytes()), 0.1),
            (packed(3, &(-7_i32).to_le_bytes()), -7.0),
            (packed(4, &[200]), 200.0),
            (packed(5, &(-7_i16).to_le_bytes()), -7.0),
            (packed(6, &[0xff]), -1.0),
            (packed(9, &(-7_i64).to_le_bytes()), -7.0),
            (packed(10, &[1]), 1.0),
            (packed(14, &[0x80, 0x3f]), 1.0),
            (packed(17, &[1, 1]), 257.0),
            (packed(19, &[0x00, 0xc0]), -2.0),
            (packed(19, &[0x01, 0x00]), 2f64.powi(-24)),
            (packed(19, &[0x00, 0x7c]), f64::INFINITY),
            (packed(22, &[1, 0, 0, 0x80]), 2147483649.0),
            (packed(23, &[1, 0, 0, 0, 0, 0, 0, 0]), 1.0),
            (Tensor { bools: vec![true], ..Tensor::default() }, 1.0),
            (Tensor { longs: vec![-3], ..Tensor::default() }, -3.0),
        ];
        for (tensor, expected) in table {
            assert_eq!(tensor.numbers(), [expected]);
            assert!(tensor.is_number());
        }
    }

    #[test]
    fn a_shape_multiplies_what_is_written_once_but_not_without_limit() {
        let tensor = |sizes: &[i64]| {
            let dimensions = sizes.iter().map(|size| Dimension { size: *size }).collect();
            Tensor { floats: vec![0.5], shape: Some(Shape { dimensions }), ..Tensor::default() }
        };
        assert_eq!(tensor(&[2, 2]).numbers(), [0.5; 4]);
        assert_eq!(tensor(&[i64::MAX, 9]).numbers(), [0.5]);
        assert_eq!(tensor(&[-1]).numbers(), [0.5]);
        assert_eq!(tensor(&[1 << 40]).numbers().len(), ELEMENTS_MAX);
    }
}

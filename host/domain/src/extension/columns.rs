//! Endpoints as columns: the native form of `pinion:types/columns`.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// A list of strings.
    Text,
    /// A 64-bit float.
    Number,
    /// A whole number.
    Integer,
    /// Microseconds since 1970, UTC.
    Instant,
}

/// A column that a plugin asks for or gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnSpec {
    /// Dotted path, as in Pinpoint's import files; of events `Events.TYPE.Count` and
    /// `Events.TYPE.Last`.
    pub path: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// Strings, packed: cell `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCells {
    /// One more than there are cells.
    pub offsets: Vec<u32>,
    /// UTF-8.
    pub bytes: Vec<u8>,
}

impl Default for TextCells {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            bytes: Vec::new(),
        }
    }
}

impl TextCells {
    /// Room for `cells` cells and `bytes` bytes.
    pub fn with_capacity(cells: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(cells + 1);
        offsets.push(0);
        Self {
            offsets,
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Appends a cell. Panics beyond 4 GiB, which no batch reaches.
    pub fn push(&mut self, cell: &str) {
        self.bytes.extend_from_slice(cell.as_bytes());
        self.offsets
            .push(u32::try_from(self.bytes.len()).expect("a batch stays under 4 GiB"));
    }

    /// How many cells.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// No cells at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A cell's text, or `None` out of range or not UTF-8.
    pub fn get(&self, index: usize) -> Option<&str> {
        let start = *self.offsets.get(index)? as usize;
        let end = *self.offsets.get(index + 1)? as usize;
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }
}

impl<'a> FromIterator<&'a str> for TextCells {
    fn from_iter<I: IntoIterator<Item = &'a str>>(cells: I) -> Self {
        let mut packed = Self::default();
        for cell in cells {
            packed.push(cell);
        }
        packed
    }
}

/// The distinct value lists of a text column: entry `i` has the cells `starts[i]..starts[i + 1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dictionary {
    /// One more than there are entries.
    pub starts: Vec<u32>,
    /// The values of all entries.
    pub values: TextCells,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            starts: vec![0],
            values: TextCells::default(),
        }
    }
}

impl Dictionary {
    /// Appends an entry.
    pub fn push<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) {
        for value in values {
            self.values.push(value);
        }
        self.starts
            .push(u32::try_from(self.values.len()).expect("a dictionary stays under 4 Gi values"));
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// No entries at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One cell a row.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// Index into a dictionary.
    Codes(Vec<u32>),
    /// Strings.
    Text(TextCells),
    /// Floats.
    Number(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Microseconds since 1970, UTC.
    Instant(Vec<i64>),
}

impl ColumnData {
    /// How many cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Codes(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Number(cells) => cells.len(),
            Self::Integer(cells) | Self::Instant(cells) => cells.len(),
        }
    }

    /// No cells at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A column of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// One cell a row.
    pub data: ColumnData,
    /// Bit set: the row has a value. Empty: every row has one.
    pub valid: Vec<u8>,
}

/// A batch of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// How many rows.
    pub count: u32,
    /// In the order in which the plugin asked.
    pub columns: Vec<Column>,
}

/// Is bit `row` of a bitmap set? An empty bitmap has every bit as `if_empty`.
pub fn bit(bitmap: &[u8], row: usize, if_empty: bool) -> bool {
    if bitmap.is_empty() {
        return if_empty;
    }
    bitmap.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// A bitmap of `bits`, least significant bit first.
pub fn bitmap(bits: impl IntoIterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (row, bit) in bits.into_iter().enumerate() {
        if row % 8 == 0 {
            bytes.push(0);
        }
        if bit {
            bytes[row / 8] |= 1 << (row % 8);
        }
    }
    bytes
}

//! CSV as Pinpoint imports it: a header of dotted names, where a repeated name gives several values.

use std::io::BufRead;
use std::str::FromStr as _;

use csv_core::{ReadRecordResult, Reader};
use pinion_domain::channel::ChannelType;
use pinion_domain::endpoint::{Demographic, EndpointBatchItem, EndpointUser, Location};
use tokio::sync::mpsc::Sender;

use super::Parsed;
use super::lines::{Line, Lines, feed};

/// What a column of the header is.
#[derive(Clone, Debug)]
enum Column {
    Address,
    ChannelType,
    Id,
    OptOut,
    RequestId,
    EffectiveDate,
    EndpointStatus,
    /// Of an export.
    CohortId,
    /// Of an export.
    CreationDate,
    /// Of an export: which application it was.
    ApplicationId,
    Attribute(String),
    Metric(String),
    Demographic(fn(&mut Demographic) -> &mut Option<String>),
    Place(fn(&mut Location) -> &mut Option<String>),
    Latitude,
    Longitude,
    UserId,
    UserAttribute(String),
}

/// Parses a whole file. An error is a sentence: the file cannot be read any further.
pub(super) fn parse(reader: impl BufRead, sender: &Sender<Parsed>) -> Result<(), String> {
    let mut lines = Lines::new(reader);
    let mut record = Record::new();
    let header = match lines.next().map_err(|error| error.to_string())? {
        None => return Err("is empty; a header is needed".to_owned()),
        Some(Line::Bad(why)) => return Err(format!("the header {why}")),
        Some(Line::Text(text)) => {
            record.read(text).map_err(|why| format!("the header {why}"))?;
            header(record.cells())?
        }
    };
    feed(lines, sender, |text| {
        record.read(text)?;
        endpoint(&header, record.cells())
    })
}

/// One parsed line. Lines are parsed alone: values hold no line breaks, and a quote that is not closed
/// must not swallow the lines behind it.
struct Record {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Record {
    fn new() -> Self {
        // `Reader::default()` is one whose tables are still empty.
        Self {
            reader: Reader::new(),
            text: Vec::new(),
            ends: Vec::new(),
            count: 0,
        }
    }

    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.bytes().filter(|byte| *byte == b'"').count() % 2 == 1 {
            return Err("has a quote that is not closed".to_owned());
        }
        self.reader.reset();
        // Unquoting never makes a line longer; a record has at most one field more than commas.
        self.text.resize(line.len().max(1), 0);
        self.ends.resize(line.len() + 2, 0);
        let (mut input, mut filled) = (line.as_bytes(), 0);
        self.count = 0;
        loop {
            let (result, read, written, ended) =
                self.reader
                    .read_record(input, &mut self.text[filled..], &mut self.ends[self.count..]);
            input = &input[read..];
            filled += written;
            self.count += ended;
            match result {
                // Empty input tells the reader that the line is over.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => return Ok(()),
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            }
        }
    }

    fn cells(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.count).map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            // Cut at ASCII delimiters out of valid UTF-8.
            std::str::from_utf8(&self.text[start..self.ends[index]]).unwrap_or_default()
        })
    }
}

fn header<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Column>, String> {
    names
        .map(|name| column(name.trim()).ok_or_else(|| format!("unknown column {name:?} in the header")))
        .collect()
}

fn column(name: &str) -> Option<Column> {
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    if let Some(attribute) = name.strip_prefix("Attributes.") {
        return named(attribute).map(Column::Attribute);
    }
    if let Some(attribute) = name.strip_prefix("User.UserAttributes.") {
        return named(attribute).map(Column::UserAttribute);
    }
    if let Some(metric) = name.strip_prefix("Metrics.") {
        return named(metric).map(Column::Metric);
    }
    Some(match name {
        "Address" => Column::Address,
        "ChannelType" => Column::ChannelType,
        "Id" => Column::Id,
        "OptOut" => Column::OptOut,
        "RequestId" => Column::RequestId,
        "EffectiveDate" => Column::EffectiveDate,
        "EndpointStatus" => Column::EndpointStatus,
        "CohortId" => Column::CohortId,
        "CreationDate" => Column::CreationDate,
        "ApplicationId" => Column::ApplicationId,
        "User.UserId" => Column::UserId,
        "Location.Latitude" => Column::Latitude,
        "Location.Longitude" => Column::Longitude,
        "Location.City" => Column::Place(|location| &mut location.city),
        "Location.Country" => Column::Place(|location| &mut location.country),
        "Location.PostalCode" => Column::Place(|location| &mut location.postal_code),
        "Location.Region" => Column::Place(|location| &mut location.region),
        "Demographic.AppVersion" => Column::Demographic(|demographic| &mut demographic.app_version),
        "Demographic.Locale" => Column::Demographic(|demographic| &mut demographic.locale),
        "Demographic.Make" => Column::Demographic(|demographic| &mut demographic.make),
        "Demographic.Model" => Column::Demographic(|demographic| &mut demographic.model),
        "Demographic.ModelVersion" => Column::Demographic(|demographic| &mut demographic.model_version),
        "Demographic.Platform" => Column::Demographic(|demographic| &mut demographic.platform),
        "Demographic.PlatformVersion" => Column::Demographic(|demographic| &mut demographic.platform_version),
        "Demographic.Timezone" => Column::Demographic(|demographic| &mut demographic.timezone),
        _ => return None,
    })
}

fn endpoint<'a>(
    header: &[Column],
    cells: impl ExactSizeIterator<Item = &'a str>,
) -> Result<EndpointBatchItem, String> {
    if cells.len() != header.len() {
        return Err(format!(
            "has {} values, the header has {}",
            cells.len(),
            header.len()
        ));
    }
    let mut item = EndpointBatchItem::default();
    let request = &mut item.endpoint;
    for (column, cell) in header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        let number = || f64::from_str(cell).map_err(|_| format!("{cell:?} is not a number"));
        match column {
            Column::Address => request.address = Some(cell.to_owned()),
            Column::ChannelType => {
                let channel =
                    ChannelType::from_str(cell).map_err(|()| format!("unknown ChannelType {cell:?}"))?;
                request.channel_type = Some(channel);
            }
            Column::Id => item.id = Some(cell.to_owned()),
            Column::OptOut => request.opt_out = Some(cell.to_owned()),
            Column::RequestId => request.request_id = Some(cell.to_owned()),
            Column::EffectiveDate => request.effective_date = Some(cell.to_owned()),
            Column::EndpointStatus => request.endpoint_status = Some(cell.to_owned()),
            Column::CohortId => request.origin.cohort_id = Some(cell.to_owned()),
            Column::CreationDate => request.origin.creation_date = Some(cell.to_owned()),
            Column::ApplicationId => {}
            Column::Attribute(name) => {
                let values = request
                    .attributes
                    .get_or_insert_default()
                    .entry(name.clone())
                    .or_default();
                values.push(cell.to_owned());
            }
            Column::Metric(name) => {
                request
                    .metrics
                    .get_or_insert_default()
                    .insert(name.clone(), number()?);
            }
            Column::Demographic(member) => {
                *member(request.demographic.get_or_insert_default()) = Some(cell.to_owned());
            }
            Column::Place(member) => {
                *member(request.location.get_or_insert_default()) = Some(cell.to_owned());
            }
            Column::Latitude => request.location.get_or_insert_default().latitude = Some(number()?),
            Column::Longitude => request.location.get_or_insert_default().longitude = Some(number()?),
            Column::UserId => user(&mut request.user).user_id = Some(cell.into()),
            Column::UserAttribute(name) => {
                let attributes = user(&mut request.user).user_attributes.get_or_insert_default();
                attributes.entry(name.clone()).or_default().push(cell.to_owned());
            }
        }
    }
    Ok(item)
}

fn user(user: &mut Option<EndpointUser>) -> &mut EndpointUser {
    user.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbered<T> = Vec<(u64, T)>;

    fn parse_all(file: &str) -> (Numbered<EndpointBatchItem>, Numbered<String>, Result<(), String>) {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
        let result = parse(file.as_bytes(), &sender);
        drop(sender);
        let (mut items, mut failures) = (Vec::new(), Vec::new());
        while let Ok(part) = receiver.try_recv() {
            match part {
                Parsed::Batch(batch) => items.extend(batch),
                Parsed::Failure { line, reason } => failures.push((line, reason)),
                Parsed::Broken(sentence) => panic!("{sentence}"),
            }
        }
        (items, failures, result)
    }

    #[test]
    fn a_line_becomes_an_endpoint() {
        let (items, failures, result) = parse_all(
            "ChannelType,Address,Attributes.likes,Attributes.likes,User.UserId,User.UserAttributes.First Name,Metrics.age,Location.Latitude\n\
             EMAIL,a@b.c,tea,\"cake, \"\"big\"\"\",u1,Żaneta 李,41.5,52.2\n\
             EMAIL,d@e.f,,,,,,\n",
        );
        assert_eq!((result, failures), (Ok(()), vec![]));
        let item = &items[0].1;
        assert_eq!(items[0].0, 2);
        let request = &item.endpoint;
        assert_eq!(request.address.as_deref(), Some("a@b.c"));
        assert_eq!(
            request.attributes.as_ref().unwrap()["likes"],
            ["tea", "cake, \"big\""]
        );
        let user = request.user.as_ref().unwrap();
        assert_eq!(
            user.user_attributes.as_ref().unwrap()["First Name"],
            ["Żaneta 李"]
        );
        assert_eq!(request.metrics.as_ref().unwrap()["age"], 41.5);
        assert_eq!(items[1].1.endpoint.attributes, None);
    }

    #[test]
    fn broken_lines_are_told_by_line_and_reason() {
        let (items, failures, result) = parse_all(
            "ChannelType,Address,Metrics.age\n\
             EMAIL,a@b.c,1\n\
             EMAIL,\"a@b.c,1\n\
             PIGEON,x,1\n\
             EMAIL,x\n\
             EMAIL,x,old\n\
             EMAIL,d@e.f,2\n",
        );
        assert_eq!(result, Ok(()));
        assert_eq!(items.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 7]);
        let reasons: Vec<(u64, &str)> = failures
            .iter()
            .map(|(line, reason)| (*line, reason.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                (3, "has a quote that is not closed"),
                (4, "unknown ChannelType \"PIGEON\""),
                (5, "has 2 values, the header has 3"),
                (6, "\"old\" is not a number"),
            ]
        );
    }

    #[test]
    fn an_unknown_column_fails_the_file() {
        let (_, _, result) = parse_all("ChannelType,Adress\nEMAIL,a@b.c\n");
        assert_eq!(result, Err("unknown column \"Adress\" in the header".to_owned()));
        let (_, _, result) = parse_all("");
        assert!(result.is_err());
    }
}

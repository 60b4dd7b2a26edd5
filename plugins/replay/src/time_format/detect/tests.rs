use super::*;

const S: i64 = SECONDS.ns;
/// `date -u -d "2020-03-09 10:14:33" +%s`
const NINTH_OF_MARCH: i64 = 1_583_748_873;

fn of(name: &str, cells: &[&str]) -> TimeFormat {
    let found = detect(name, cells, None).unwrap_or_else(|| panic!("{cells:?}"));
    assert_eq!(found.ask, None, "{cells:?}");
    found.format
}

#[test]
fn equal_times_in_all_formats() {
    for (name, text, expected) in [
        ("datetime", "2020-03-09 10:14:33", "ISO 8601"),
        ("datetime", "2020-03-09T10:14:33Z", "ISO 8601"),
        ("datetime", "2020-03-09T11:14:33.000+01:00", "ISO 8601"),
        ("datetime", "2020-03-09 11:14:33 +0100", "ISO 8601"),
        ("datetime", "2020-03-09 10:14:33 UTC", "ISO 8601"),
        ("datetime", "2020-03-09 10:14:33,000", "ISO 8601"),
        ("datetime", "20200309T101433Z", "ISO 8601"),
        ("zeit", "09.03.2020 10:14:33", "day.month.year"),
        ("zeit", "09.03.20 10:14:33", "day.month.two-digit year"),
        ("when", "2020/03/09 10:14:33.0", "year/month/day"),
        ("when", "3/9/2020 10:14:33 AM", "month/day/year"),
        ("when", "29/02/2020 10:14:33", "day/month/year"),
        ("when", "2/29/20 10:14:33", "month/day/two-digit year"),
        ("when", "29/02/2020 10:14:33 am", "day/month/year"),
        ("when", "09-Mar-2020 10:14:33.000", "day-month-year"),
        ("when", "9 Mar 2020 10:14:33", "day month year"),
        ("when", "9 March 2020 10:14:33", "day month year"),
        ("when", "March 9, 2020 10:14:33 AM", "month day year"),
        ("when", "Mon Mar  9 10:14:33 2020", "month day"),
        ("when", "Mon, 09 Mar 2020 11:14:33 +0100", "day month year"),
        ("when", "09/Mar/2020:10:14:33 +0000", "day/month/year"),
        ("when", "2020:03:09 10:14:33", "year:month:day"),
        ("when", "2020-069 10:14:33", "year-day of the year"),
        ("when", "20200309101433", "yearmonthday"),
        ("t", "1583748873", "seconds since 1970"),
        ("t", "1583748873.0", "seconds since 1970"),
        ("t", "1583748873000", "milliseconds since 1970"),
        ("t", "1583748873000000", "microseconds since 1970"),
        ("t", "1583748873000000000", "nanoseconds since 1970"),
        ("t", "1583748873,0", "seconds since 1970"),
    ] {
        let format = of(name, &[text]);
        assert_eq!(format.name(), expected, "{text}");
        let leap = text.starts_with("29/02") || text.starts_with("2/29");
        let s = NINTH_OF_MARCH - if leap { 9 * 86_400 } else { 0 };
        assert_eq!(format.read(text), Some(s * S), "{text}");
    }
}

#[test]
fn two_digit_years_may_be_first() {
    let format = of("when", &["99/12/31 00:00:00"]);
    assert_eq!(format.name(), "two-digit year/month/day");
    // `date -u -d 1999-12-31 +%s`
    assert_eq!(format.read("99/12/31 00:00:00"), Some(946_598_400 * S));
}

#[test]
fn unit_follows_from_the_column_name() {
    for (name, text, ns) in [
        ("time", "1.5", 1_500_000_000),
        ("time_ms", "20", 20_000_000),
        ("t [us]", "-7", -7_000),
        ("Time (ns)", "12", 12),
        ("s", "1e-3", 1_000_000),
        ("elapsed_seconds", "0.000000001", 1),
        ("Elapsed Time (min)", "0.5", 30 * S),
        ("time [h]", "1.25", 4500 * S),
        // Microseconds since the start of a device are no date.
        ("timestamp_us", "1600000000", 1600 * S),
        ("time_us", "123456789", 123_456_789_000),
    ] {
        let format = of(name, &[text]);
        assert_eq!(format.read(text), Some(ns), "{name}");
    }
}

#[test]
fn unit_that_contradicts_the_magnitude_is_reported() {
    let found = detect("time_s", &["1583748873000"], None).unwrap();
    assert_eq!(found.format.name(), "milliseconds since 1970");
    assert!(found.note.is_some_and(|n| n.contains("--time-unit")));
    let ms = Unit::of_cell("(ms)").map(|u| (u, "(ms)"));
    let found = detect("time", &["0", "20"], ms).unwrap();
    assert_eq!(found.format.read("20"), Some(20_000_000));
    assert!(found.why.is_some_and(|why| why.contains("`(ms)`")));
    assert!(detect("time_us", &["0", "20"], ms).unwrap().ask.is_some());
}

#[test]
fn days_of_spreadsheets_are_told_from_seconds() {
    // 2023-11-14 22:13:20 is day 45244.925925926.
    let cells: Vec<String> = (0..50)
        .map(|k| format!("{:.9}", 45_244.925_925_926 + f64::from(k) / 86_400.0))
        .collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let found = detect("time", &cells, None).unwrap();
    assert!(found.note.is_some());
    let ns = found.format.read(cells[0]).unwrap();
    assert!((ns - 1_700_000_000 * S).abs() < S / 1000, "{ns}");
    let matlab: Vec<String> = (0..50)
        .map(|k| format!("{:.9}", 739_204.925_925_926 + f64::from(k) / 86_400.0))
        .collect();
    let matlab: Vec<&str> = matlab.iter().map(String::as_str).collect();
    let ns = of("time", &matlab).read(matlab[0]).unwrap();
    assert!((ns - 1_700_000_000 * S).abs() < S / 1000, "{ns}");
    // Half a day after start, at 50 Hz.
    let seconds: Vec<String> = (0..50)
        .map(|k| format!("{:.2}", 45_244.92 + 0.02 * f64::from(k)))
        .collect();
    let seconds: Vec<&str> = seconds.iter().map(String::as_str).collect();
    assert_eq!(of("time", &seconds).name(), "seconds");
    assert!(
        detect("time", &["45244.9259", "45244.9260"], None)
            .unwrap()
            .ask
            .is_some()
    );
}

#[test]
fn decimal_seconds_are_exact_to_the_nanosecond() {
    let format = of("t", &["1583748873.123456789"]);
    assert_eq!(
        format.read("1583748873.123456789"),
        Some(1_583_748_873_123_456_789)
    );
    assert_eq!(format.read("99999999999999999999"), None);
    assert_eq!(format.read("."), None);
    assert_eq!(format.read("1.2.3"), None);
}

#[test]
fn day_and_month_are_distinguished_by_order_in_time_or_asked_for() {
    let ask = detect("t", &["03/04/2020 23:59", "04/04/2020 00:01"], None)
        .unwrap()
        .ask;
    let (found, expected) = ask.unwrap();
    assert!(found.contains("`03/04/2020 23:59`"), "{found}");
    assert!(
        expected.contains("--time-format '%d/%m/%Y %H:%M'"),
        "{expected}"
    );
    assert_eq!(
        of("t", &["30/04/2020 23:59", "01/05/2020 00:01"]).name(),
        "day/month/year"
    );
    // With the month first, time would decrease.
    let cells = ["11/04/2020 23:59", "12/04/2020 23:59", "01/05/2020 00:01"];
    assert_eq!(of("t", &cells).name(), "day/month/year");
    // The steps are the same: reported only.
    let found = detect("t", &["03/04/2020 10:00", "03/04/2020 10:01"], None).unwrap();
    assert!(found.ask.is_none() && found.note.is_some_and(|n| n.contains("--time-format")));
    let found = detect("t", &["11/12/10 10:00:00", "11/12/10 10:00:01"], None).unwrap();
    assert!(found.ask.is_none() && found.note.is_some_and(|n| n.contains("two-digit year")));
}

#[test]
fn time_of_day_may_pass_midnight() {
    let format = of("time", &["23:59:58.5", "23:59:59"]);
    assert_eq!(format.name(), "time of day");
    let last = format.read("23:59:59");
    let next = format.read_after("00:00:01", last);
    assert_eq!(next, last.map(|ns| ns + 2 * S));
    // A small step back is not a new day.
    assert_eq!(format.read_after("23:59:58", last), last.map(|ns| ns - S));
    // Beyond a day, and minutes beyond an hour.
    let format = of("time", &["49:59:59", "50:00:00"]);
    assert_eq!(
        format.read_after("0:00:01", format.read("50:00:00")),
        Some(S)
    );
    let format = of("time", &["59:59.5", "59:59.9"]);
    assert_eq!(
        format.read_after("00:00.4", format.read("59:59.9")),
        Some(3600 * S + S * 4 / 10)
    );
    assert!(
        detect("time", &["12:30", "12:31"], None)
            .unwrap()
            .ask
            .is_some()
    );
    assert_eq!(
        of("time (mm:ss)", &["12:30", "12:31"]).read("12:31"),
        Some(751 * S)
    );
}

#[test]
fn text_is_not_time() {
    for cells in [
        &["pump on", "pump off"][..],
        &[""],
        &[],
        &["12 V"],
        &["14. M\u{e4}rz 2023"],
        &["14-d\u{e9}c-2023"],
    ] {
        assert_eq!(detect("time", cells, None), None, "{cells:?}");
    }
}

//! Dates as HTTP writes them (RFC 9110 section 5.6.7).

/// The date so many seconds after the epoch.
pub fn http_date(seconds: u64) -> String {
    let (days, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let weekday = name(WEEKDAYS, days % 7);
    let month = name(MONTHS, month);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month counted from zero, and day of the month.
fn civil(days: u64) -> (u64, u64, u64) {
    let (mut year, mut left) = (1970, days);
    loop {
        let of_year = if is_leap(year) { 366 } else { 365 };
        if left < of_year {
            break;
        }
        left -= of_year;
        year += 1;
    }
    for (month, mut length) in (0..).zip(MONTH_DAYS) {
        length += u64::from(month == 1 && is_leap(year));
        if left < length {
            return (year, month, left + 1);
        }
        left -= length;
    }
    (year, 11, 31)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// One of names that have three letters each.
fn name(names: &str, number: u64) -> &str {
    let start = usize::try_from(number).unwrap_or_default() * 3;
    names.get(start..start + 3).unwrap_or_default()
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The first day after the epoch was a Thursday.
const WEEKDAYS: &str = "ThuFriSatSunMonTueWed";

const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

const MONTH_DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

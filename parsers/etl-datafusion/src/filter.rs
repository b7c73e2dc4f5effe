//! What of a query a scan can choose by: times, providers, ids and processes, before any payload is decoded.

use std::collections::BTreeSet;
use std::fmt;

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use etl_parser::Guid;
use outofports::events::{ProviderFilter, parse_provider};
use outofports::providers::names;
use serde::{Deserialize, Serialize};

use crate::event::EventRow;

/// Which rows are wanted. All that is said must hold; the default is all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    /// Not before this time, in nanoseconds since 1970.
    pub(crate) since_ns: Option<i64>,
    /// Not after this time.
    pub(crate) until_ns: Option<i64>,
    /// One of each list.
    providers: Vec<Vec<Provider>>,
    ids: Option<BTreeSet<i64>>,
    /// Of records' headers.
    pids: Option<BTreeSet<i64>>,
    /// Of owners.
    pub(crate) owner_pids: Option<BTreeSet<i64>>,
}

/// A provider that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Provider {
    /// By its GUID, as the column `guid` has it.
    Guid(String),
    /// By its name, as the column `provider` has it.
    Name(String),
    /// By its name in any case.
    AnyCase(String),
}

impl Filter {
    /// The argument `provider`: a GUID, a name of the built-in list in full or without `Microsoft-Windows-`, or the name that
    /// events say themselves; in any case.
    pub(crate) fn of_provider(text: &str) -> Result<Self, String> {
        let provider = match parse_provider(text)? {
            ProviderFilter::Guid(guid) => Provider::Guid(guid.to_string()),
            ProviderFilter::Name(name) => match names::provider_guid(&name) {
                Some(guid) => Provider::Guid(guid.to_string()),
                None => Provider::AnyCase(name),
            },
        };
        Ok(Self { providers: vec![vec![provider]], ..Self::default() })
    }

    /// What a condition asks for; `None` for one that is not wholly of this kind.
    pub(crate) fn of(condition: &Expr) -> Option<Self> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) | Expr::InList(_) => Self::values(condition),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                Some(Self::of(left)?.and(Self::of(right)?))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (column, op, value) = match (&**left, &**right) {
                    (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
                    (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap()?, value),
                    _ => return None,
                };
                if column.name == "time" { Self::of_time(op, nanoseconds(value)?) } else { Self::values(condition) }
            }
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) = (&**expr, &**low, &**high)
                else {
                    return None;
                };
                let (since_ns, until_ns) = (nanoseconds(low)?, nanoseconds(high)?);
                (column.name == "time").then(|| Self {
                    since_ns: Some(since_ns),
                    until_ns: Some(until_ns),
                    ..Self::default()
                })
            }
            _ => None,
        }
    }

    fn of_time(op: Operator, time_ns: i64) -> Option<Self> {
        // At the ends of what a column can hold, "more than" is nothing; such a condition is left to the engine.
        let (since_ns, until_ns) = match op {
            Operator::Eq => (Some(time_ns), Some(time_ns)),
            Operator::GtEq => (Some(time_ns), None),
            Operator::Gt => (Some(time_ns.checked_add(1)?), None),
            Operator::LtEq => (None, Some(time_ns)),
            Operator::Lt => (None, Some(time_ns.checked_sub(1)?)),
            _ => return None,
        };
        Some(Self { since_ns, until_ns, ..Self::default() })
    }

    /// A condition that gives one column's values.
    fn values(condition: &Expr) -> Option<Self> {
        let (column, values) = equal_to(condition)?;
        let numbers = || values.iter().map(|value| number(value)).collect::<Option<BTreeSet<i64>>>();
        let texts = |provider: fn(String) -> Provider| {
            let texts = values.iter().map(|value| value.try_as_str().flatten().map(str::to_owned));
            Some(vec![texts.map(|text| text.map(provider)).collect::<Option<Vec<Provider>>>()?])
        };
        let all = Self::default();
        Some(match column.name.as_str() {
            "id" => Self { ids: Some(numbers()?), ..all },
            "pid" => Self { pids: Some(numbers()?), ..all },
            "owner_pid" => Self { owner_pids: Some(numbers()?), ..all },
            "guid" => Self { providers: texts(Provider::Guid)?, ..all },
            "provider" => Self { providers: texts(Provider::Name)?, ..all },
            _ => return None,
        })
    }

    /// What both let through.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let both = |one: Option<BTreeSet<i64>>, other: Option<BTreeSet<i64>>| match (one, other) {
            (Some(one), Some(other)) => Some(&one & &other),
            (one, other) => one.or(other),
        };
        self.providers.extend(other.providers);
        Self {
            since_ns: self.since_ns.max(other.since_ns),
            until_ns: self.until_ns.into_iter().chain(other.until_ns).min(),
            providers: self.providers,
            ids: both(self.ids, other.ids),
            pids: both(self.pids, other.pids),
            owner_pids: both(self.owner_pids, other.owner_pids),
        }
    }

    /// The same, ready to be asked many times.
    pub(crate) fn matcher(&self) -> Matcher<'_> {
        let ready = |provider: &Provider| match provider {
            // A GUID that is spelled in another way is no value of the column.
            Provider::Guid(text) => Ready::Guid(text.parse().ok().filter(|guid: &Guid| guid.to_string() == *text)),
            Provider::Name(name) => Ready::Name(name.clone()),
            Provider::AnyCase(name) => Ready::AnyCase(name.to_lowercase()),
        };
        let providers = self.providers.iter().map(|list| list.iter().map(ready).collect()).collect();
        Matcher { filter: self, providers }
    }
}

/// The column that must have one of these values.
fn equal_to(condition: &Expr) -> Option<(&Column, Vec<&ScalarValue>)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (&**left, &**right) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some((column, vec![value]))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((column, mut values), (other, more)) = (equal_to(left)?, equal_to(right)?);
            values.extend(more);
            (column == other).then_some((column, values))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = &**expr else { return None };
            let values = list.iter().map(|item| if let Expr::Literal(value, _) = item { Some(value) } else { None });
            Some((column, values.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}

fn number(value: &ScalarValue) -> Option<i64> {
    if let ScalarValue::Int64(number) = value { *number } else { None }
}

fn nanoseconds(value: &ScalarValue) -> Option<i64> {
    if let ScalarValue::TimestampNanosecond(time, _) = value { *time } else { None }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time_ns| ScalarValue::TimestampNanosecond(Some(time_ns), Some("UTC".into()));
        let set = |name: &str, values: &Option<BTreeSet<i64>>| {
            let values = values.as_ref()?.iter().map(ToString::to_string).collect::<Vec<_>>();
            Some(format!("{name} IN ({})", values.join(", ")))
        };
        let provider = |provider: &Provider| match provider {
            Provider::Guid(guid) => format!("guid = {guid}"),
            Provider::Name(name) | Provider::AnyCase(name) => format!("provider = {name}"),
        };
        let providers =
            self.providers.iter().map(|list| list.iter().map(provider).collect::<Vec<_>>().join(" OR ")).map(Some);
        let parts = [
            self.since_ns.map(|since| format!("time >= {}", time(since))),
            self.until_ns.map(|until| format!("time <= {}", time(until))),
            set("id", &self.ids),
            set("pid", &self.pids),
            set("owner_pid", &self.owner_pids),
        ];
        f.write_str(&parts.into_iter().chain(providers).flatten().collect::<Vec<_>>().join(" AND "))
    }
}

/// A filter that is asked for each record.
pub(crate) struct Matcher<'f> {
    filter: &'f Filter,
    providers: Vec<Vec<Ready>>,
}

enum Ready {
    Guid(Option<Guid>),
    Name(String),
    AnyCase(String),
}

impl Matcher<'_> {
    /// Whether a row is wanted: by its header, and only where a provider's name does not say so already by its payload.
    pub(crate) fn admits(&self, row: &EventRow<'_>) -> bool {
        let Filter { since_ns, until_ns, ids, pids, owner_pids, .. } = self.filter;
        let is_in = |set: &Option<BTreeSet<i64>>, value: Option<i64>| {
            set.as_ref().is_none_or(|set| value.is_some_and(|value| set.contains(&value)))
        };
        let is_at =
            |time: i64| since_ns.is_none_or(|since| time >= since) && until_ns.is_none_or(|until| time <= until);
        is_in(ids, row.id())
            && is_in(pids, row.pid())
            && is_in(owner_pids, row.owner_pid())
            && (since_ns.is_none() && until_ns.is_none() || row.time_ns.is_some_and(is_at))
            && self.providers.iter().all(|list| list.iter().any(|provider| provider.is(row)))
    }
}

impl Ready {
    fn is(&self, row: &EventRow<'_>) -> bool {
        match self {
            Self::Guid(guid) => guid.is_some() && row.guid == *guid,
            Self::Name(name) => row.provider_name() == Some(name.as_str()),
            Self::AnyCase(name) => row.provider_name().is_some_and(|found| found.to_lowercase() == *name),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn shown(condition: &Expr) -> Option<String> {
        Filter::of(condition).map(|filter| filter.to_string())
    }

    fn time(nanoseconds: i64) -> Expr {
        lit(ScalarValue::TimestampNanosecond(Some(nanoseconds), Some("UTC".into())))
    }

    #[test]
    fn conditions_on_headers_are_understood() {
        let between = col("time").between(time(1), time(9));
        for (condition, expected) in [
            (col("id").eq(lit(7_i64)), Some("id IN (7)")),
            (lit(7_i64).eq(col("pid")), Some("pid IN (7)")),
            (col("id").eq(lit(7_i64)).or(col("id").eq(lit(8_i64))), Some("id IN (7, 8)")),
            (col("id").in_list(vec![lit(7_i64), lit(8_i64)], false), Some("id IN (7, 8)")),
            (col("id").in_list(vec![lit(7_i64)], true), None),
            (col("id").eq(lit(7_i64)).or(col("pid").eq(lit(8_i64))), None),
            (col("id").gt(lit(7_i64)), None),
            (col("provider").eq(lit("a")), Some("provider = a")),
            (col("name").eq(lit("a")), None),
            (col("cpu").eq(lit(0_i64)), None),
            (between.clone(), Some("time >= 1 AND time <= 9")),
            (col("time").gt(time(1)).and(col("time").lt(time(9))), Some("time >= 2 AND time <= 8")),
            (time(1).lt(col("time")), Some("time >= 2")),
            (col("time").gt(time(i64::MAX)), None),
            (between.or(col("id").eq(lit(7_i64))), None),
        ] {
            assert_eq!(shown(&condition).as_deref(), expected, "{condition}");
        }
    }

    #[test]
    fn both_of_two_filters_hold() {
        let ids = |ids: &[i64]| {
            let list = ids.iter().map(|id| lit(*id)).collect();
            Filter::of(&col("id").in_list(list, false)).unwrap()
        };
        assert_eq!(ids(&[1, 2]).and(ids(&[2, 3])).to_string(), "id IN (2)");
        assert_eq!(ids(&[1]).and(ids(&[2])).to_string(), "id IN ()");
        let since = |time_ns| Filter { since_ns: Some(time_ns), ..Filter::default() };
        assert_eq!(since(3).and(since(1)).and(ids(&[2])).to_string(), "time >= 3 AND id IN (2)");
        let until = |time_ns| Filter { until_ns: Some(time_ns), ..Filter::default() };
        assert_eq!(until(3).and(Filter::default()).and(until(1)).until_ns, Some(1));
    }

    #[test]
    fn providers_by_guid_short_name_or_their_own_name() {
        let afd = "guid = e53c6823-7bb8-44bb-90dc-3f86090d48a6";
        for text in ["winsock-afd", "Microsoft-Windows-Winsock-AFD", "{E53C6823-7BB8-44BB-90DC-3F86090D48A6}"] {
            assert_eq!(Filter::of_provider(text).unwrap().to_string(), afd, "{text}");
        }
        assert_eq!(Filter::of_provider("My-Own").unwrap().to_string(), "provider = My-Own");
        assert!(Filter::of_provider(" ").is_err());
    }
}

//! The table functions of SQL, and their arguments by name.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DFSchema, Result, plan_datafusion_err, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::{FunctionArg, FunctionArgExpr, TableFactor};

use crate::filter::Filter;
use crate::table::{Call, Table, TraceTable};

/// Makes the functions known to a session.
pub(crate) fn register(context: &SessionContext) -> Result<()> {
    for table in Table::ALL {
        context.register_udtf(table.function(), Arc::new(Function(table)));
    }
    context.register_relation_planner(Arc::new(NamedArguments))
}

/// A function that gives a table.
#[derive(Debug)]
struct Function(Table);

impl TableFunctionImpl for Function {
    fn call_with_args(&self, arguments: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(TraceTable::new(self.0.call(arguments.exprs())?)))
    }
}

impl Table {
    /// A call with these arguments: the pattern, then those with names.
    fn call(self, arguments: &[Expr]) -> Result<Call> {
        let mut call = Call { table: self, pattern: String::new(), filter: Filter::default(), skips_unreadable: false };
        let Some((pattern, named)) = arguments.split_first() else {
            return plan_err!("{self} needs a pattern of files: {self}('traces/*.etl')");
        };
        call.pattern = text(pattern).ok_or_else(|| plan_datafusion_err!("{self}: the pattern of files is a text"))?;
        for argument in named {
            let Expr::Alias(Alias { expr, name, .. }) = argument else {
                return plan_err!("{self}: arguments behind the pattern have names: provider => 'tcpip'");
            };
            let Some(value) = text(expr) else { return plan_err!("{self}: {name} is a text") };
            match name.as_str() {
                "provider" if self.takes_filters() => {
                    let provider = Filter::of_provider(&value);
                    let provider = provider.map_err(|error| plan_datafusion_err!("{self}: provider: {error}"))?;
                    call.filter = call.filter.and(provider);
                }
                "unreadable" if self.takes_filters() => match value.as_str() {
                    "skip" => call.skips_unreadable = true,
                    "fail" => call.skips_unreadable = false,
                    _ => return plan_err!("{self}: unreadable is 'fail' or 'skip', not '{value}'"),
                },
                _ => return plan_err!("{self} has no argument {name}"),
            }
        }
        Ok(call)
    }
}

fn text(argument: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = argument else { return None };
    value.try_as_str().flatten().map(str::to_owned)
}

/// Plans calls of our functions with arguments by name (`provider => 'tcpip'`), since the planner knows them by position alone. A name
/// is the alias of its value.
#[derive(Debug)]
struct NamedArguments;

impl RelationPlanner for NamedArguments {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Table { name, args: Some(arguments), alias, .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let function = name.to_string().to_lowercase();
        let Some(table) = Table::ALL.into_iter().find(|table| table.function() == function) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let mut values = Vec::new();
        for argument in &arguments.args {
            let (name, value) = match argument {
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                    (Some(name.value.as_str()), value)
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (None, value),
                other => return plan_err!("{function} has no argument {other}"),
            };
            let value = context.sql_expr_to_logical_expr(value.clone(), &DFSchema::empty())?;
            values.push(match name {
                Some(name) => value.alias(name.to_lowercase()),
                None => value,
            });
        }
        let source = provider_as_source(Arc::new(TraceTable::new(table.call(&values)?)));
        let plan = LogicalPlanBuilder::scan(table.function(), source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::lit;

    use super::*;

    fn call(table: Table, arguments: &[Expr]) -> std::result::Result<String, String> {
        let call = table.call(arguments).map_err(|error| error.strip_backtrace())?;
        Ok(format!("{} {} {}", call.pattern, call.filter, call.skips_unreadable))
    }

    #[test]
    fn arguments_have_names() {
        let pattern = lit("a.etl");
        let named = |name: &str, value: &str| lit(value).alias(name);
        let events = |arguments: &[Expr]| call(Table::Events, arguments);
        assert_eq!(events(std::slice::from_ref(&pattern)).unwrap(), "a.etl  false");
        let all = [pattern.clone(), named("provider", "My-Own"), named("unreadable", "skip")];
        assert_eq!(events(&all).unwrap(), "a.etl provider = My-Own true");
        for (wrong, why) in [
            (vec![], "needs a pattern"),
            (vec![lit(1_i64)], "is a text"),
            (vec![pattern.clone(), lit("tcpip")], "have names"),
            (vec![pattern.clone(), named("provider", "")], "provider"),
            (vec![pattern.clone(), named("unreadable", "maybe")], "'fail' or 'skip'"),
            (vec![pattern.clone(), named("colour", "red")], "no argument colour"),
        ] {
            let error = events(&wrong).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(call(Table::Cases, &[pattern, named("provider", "x")]).is_err());
    }
}

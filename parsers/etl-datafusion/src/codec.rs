//! Our tables and scans as bytes, so that schedulers and executors can have them. All else is Ballista's.

use std::sync::Arc;

use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, TableReference, internal_err};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scan::TraceScan;
use crate::table::TraceTable;

/// What ours begin with; no message of Ballista does.
const OURS: &[u8] = b"\xFFetl-datafusion ";

fn encode(value: &impl Serialize, to: &mut Vec<u8>) -> Result<()> {
    to.extend_from_slice(OURS);
    serde_json::to_writer(to, value).map_err(|error| DataFusionError::External(error.into()))
}

/// `None` where the bytes are not ours.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<Result<T>> {
    let ours = bytes.strip_prefix(OURS)?;
    Some(serde_json::from_slice(ours).map_err(|error| DataFusionError::External(error.into())))
}

/// Logical plans with our tables.
#[derive(Debug, Default)]
pub(crate) struct Logical(BallistaLogicalExtensionCodec);

impl LogicalExtensionCodec for Logical {
    fn try_decode(&self, bytes: &[u8], inputs: &[LogicalPlan], context: &TaskContext) -> Result<Extension> {
        self.0.try_decode(bytes, inputs, context)
    }

    fn try_encode(&self, node: &Extension, to: &mut Vec<u8>) -> Result<()> {
        self.0.try_encode(node, to)
    }

    fn try_decode_table_provider(
        &self,
        bytes: &[u8],
        name: &TableReference,
        schema: SchemaRef,
        context: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        match decode(bytes) {
            Some(call) => Ok(Arc::new(TraceTable::new(call?))),
            None => self.0.try_decode_table_provider(bytes, name, schema, context),
        }
    }

    fn try_encode_table_provider(
        &self,
        name: &TableReference,
        table: Arc<dyn TableProvider>,
        to: &mut Vec<u8>,
    ) -> Result<()> {
        match table.downcast_ref::<TraceTable>() {
            Some(table) => encode(&table.call, to),
            None => self.0.try_encode_table_provider(name, table, to),
        }
    }

    fn try_decode_file_format(&self, bytes: &[u8], context: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        self.0.try_decode_file_format(bytes, context)
    }

    fn try_encode_file_format(&self, to: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.0.try_encode_file_format(to, node)
    }
}

/// Physical plans with our scans.
#[derive(Debug, Default)]
pub(crate) struct Physical(BallistaPhysicalExtensionCodec);

impl PhysicalExtensionCodec for Physical {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match decode(bytes) {
            Some(scan) => match inputs {
                [places] => Ok(Arc::new(TraceScan::new(scan?, Arc::clone(places))?)),
                _ => internal_err!("a scan has a table of places"),
            },
            None => self.0.try_decode(bytes, inputs, context, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        to: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        match node.downcast_ref::<TraceScan>() {
            Some(node) => encode(&*node.scan, to),
            None => self.0.try_encode(node, to, converter),
        }
    }
}

package postgres

// columns are those of otelaudit.activity that make up a record, in the order in which rows are encoded and decoded. All but
// stored_at, which is the database's.
const columns = `time, id, observed_time, schema_version, trace_flags, action, verb, actor_type, actor_id, actor_name, ` +
	`actor, on_behalf_of, target_type, target_id, target_name, related, outcome, error_type, reason, changes, metadata, ` +
	`tenant_id, operation_id, client_address, request, trace_id, span_id, service_name, resource, sanitized`

const columnCount = 30

// schemaVersion is otelaudit.SchemaVersion as a number.
const schemaVersion = 1

// postgresEpoch is 2000-01-01 in Unix microseconds: where timestamptz counts from.
const postgresEpoch = 946_684_800_000_000

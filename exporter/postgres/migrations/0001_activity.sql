-- The activity table: one row for each record, partitioned by month. docs/schema.md explains the columns and the indexes.
-- A released migration is never changed: Migrate compares its SHA-256 with what the database remembers.

-- A DBA may have made the schema for a role that must not make any.
DO $$
BEGIN
    IF to_regnamespace('otelaudit') IS NULL THEN
        CREATE SCHEMA otelaudit;
    END IF;
END
$$;

COMMENT ON SCHEMA otelaudit IS 'The audit trail that package otelaudit writes; its docs/schema.md explains it';

CREATE TABLE otelaudit.migration (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE otelaudit.migration IS 'Which migrations of otelaudit this schema has had. Written by Migrate only';
COMMENT ON COLUMN otelaudit.migration.version IS 'The number of the migration; they are applied in this order, without gaps';
COMMENT ON COLUMN otelaudit.migration.name IS 'Its file name';
COMMENT ON COLUMN otelaudit.migration.checksum IS 'The SHA-256 of its file, in hexadecimal';
COMMENT ON COLUMN otelaudit.migration.applied_at IS 'When it was applied';

-- Identifiers are compared byte by byte (COLLATE "C"): equality and prefixes use the indexes whatever the database's
-- collation is, and no upgrade of a C or ICU library can silently break an index of the audit trail. Names and texts for
-- people have the database's collation. Columns of fixed width come first, which saves the padding between them.
CREATE TABLE otelaudit.activity (
    time           timestamptz      NOT NULL,
    id             uuid             NOT NULL,
    observed_time  timestamptz      NOT NULL,
    stored_at      timestamptz      NOT NULL DEFAULT now(),
    schema_version smallint         NOT NULL,
    trace_flags    smallint,
    action         text COLLATE "C" NOT NULL,
    verb           text COLLATE "C",
    actor_type     text COLLATE "C" NOT NULL CONSTRAINT activity_actor_type CHECK (actor_type IN ('user', 'service', 'system')),
    actor_id       text COLLATE "C" NOT NULL,
    actor_name     text,
    actor          jsonb,
    on_behalf_of   jsonb,
    target_type    text COLLATE "C",
    target_id      text COLLATE "C",
    target_name    text,
    related        jsonb,
    outcome        text COLLATE "C" NOT NULL CONSTRAINT activity_outcome CHECK (outcome IN ('success', 'failure', 'denied', 'unknown')),
    error_type     text COLLATE "C",
    reason         text,
    changes        jsonb,
    metadata       jsonb,
    tenant_id      text COLLATE "C",
    operation_id   text COLLATE "C",
    client_address text COLLATE "C",
    request        jsonb,
    trace_id       bytea            CONSTRAINT activity_trace_id CHECK (octet_length(trace_id) = 16),
    span_id        bytea            CONSTRAINT activity_span_id CHECK (octet_length(span_id) = 8),
    service_name   text COLLATE "C",
    resource       jsonb,
    sanitized      jsonb,
    PRIMARY KEY (time, id)
) PARTITION BY RANGE (time);

COMMENT ON TABLE otelaudit.activity IS 'Who did what, when, where, why and with what result. Append-only. NULL says that the record has no such fact';
COMMENT ON COLUMN otelaudit.activity.time IS 'When it happened. The log record''s Timestamp. The partition key: each partition is a month in UTC';
COMMENT ON COLUMN otelaudit.activity.id IS 'The record''s name for ever, together with time. audit.record.id and log.record.uid';
COMMENT ON COLUMN otelaudit.activity.observed_time IS 'When it was recorded, by the recording service''s clock. The log record''s ObservedTimestamp';
COMMENT ON COLUMN otelaudit.activity.stored_at IS 'When the transaction that stored the row began, by the database''s clock. Not part of the record';
COMMENT ON COLUMN otelaudit.activity.schema_version IS 'The layout of the record. audit.schema.version';
COMMENT ON COLUMN otelaudit.activity.trace_flags IS 'W3C trace flags: 1 is sampled. The log record''s TraceFlags';
COMMENT ON COLUMN otelaudit.activity.action IS 'What was done, dot-separated: invoice.approve. The log record''s EventName';
COMMENT ON COLUMN otelaudit.activity.verb IS 'The action''s last part in upper case: APPROVE. audit.action';
COMMENT ON COLUMN otelaudit.activity.actor_type IS 'What kind of party acted: user, service or system. audit.actor.type';
COMMENT ON COLUMN otelaudit.activity.actor_id IS 'Who acted. A user "anonymous" is somebody known not to be logged in, a user "unknown" is nobody known. audit.actor.id';
COMMENT ON COLUMN otelaudit.activity.actor_name IS 'What the actor was called. user.name';
COMMENT ON COLUMN otelaudit.activity.actor IS 'What else was known of the actor: roles, tenant, session (a SHA-256), auth_method, trust (propagated, verified; none is declared). user.roles, otelaudit.actor.tenant.id, session.id, otelaudit.actor.auth_method, otelaudit.actor.trust';
COMMENT ON COLUMN otelaudit.activity.on_behalf_of IS 'Whom the actor acted for, nearest first: objects with type, id, name and the entries of actor. otelaudit.actor.on_behalf_of.type, .id, .details';
COMMENT ON COLUMN otelaudit.activity.target_type IS 'What kind of thing was acted upon. audit.target.type';
COMMENT ON COLUMN otelaudit.activity.target_id IS 'Which one. audit.target.id';
COMMENT ON COLUMN otelaudit.activity.target_name IS 'What it was called. otelaudit.target.name';
COMMENT ON COLUMN otelaudit.activity.related IS 'Further things that the activity touched: objects with type, id, name. otelaudit.related';
COMMENT ON COLUMN otelaudit.activity.outcome IS 'success, failure, denied or unknown. audit.outcome and otelaudit.outcome';
COMMENT ON COLUMN otelaudit.activity.error_type IS 'What kind of error it ended in, never its text. error.type';
COMMENT ON COLUMN otelaudit.activity.reason IS 'Why, in words for a person. otelaudit.reason';
COMMENT ON COLUMN otelaudit.activity.changes IS 'The fields that changed: an object of objects with old and new. otelaudit.changes';
COMMENT ON COLUMN otelaudit.activity.metadata IS 'Everything else that was recorded: an object of attributes';
COMMENT ON COLUMN otelaudit.activity.tenant_id IS 'The tenant it belongs to. otelaudit.tenant.id';
COMMENT ON COLUMN otelaudit.activity.operation_id IS 'The operation it is a step of. otelaudit.operation.id';
COMMENT ON COLUMN otelaudit.activity.client_address IS 'Where it came from: an IP address or a host name. client.address and audit.source.id';
COMMENT ON COLUMN otelaudit.activity.request IS 'The request it came with: method, route, path (no query), rpc_method, peer_address, user_agent, id. http.request.method, http.route, url.path, rpc.method, network.peer.address, user_agent.original, otelaudit.request.id';
COMMENT ON COLUMN otelaudit.activity.trace_id IS 'The trace, 16 bytes: encode(trace_id, ''hex''). The log record''s TraceId';
COMMENT ON COLUMN otelaudit.activity.span_id IS 'The span, 8 bytes. The log record''s SpanId';
COMMENT ON COLUMN otelaudit.activity.service_name IS 'The service that recorded it. The resource''s service.name, taken out of resource';
COMMENT ON COLUMN otelaudit.activity.resource IS 'The OpenTelemetry resource of the service that recorded it: an object of attributes';
COMMENT ON COLUMN otelaudit.activity.sanitized IS 'What was not storable as it came: objects with field, reason, length and sha256 of the original. otelaudit.sanitized';

-- Each index ends in (time, id): it gives the newest of what it finds without sorting, and the next page without skipping.
CREATE INDEX activity_actor ON otelaudit.activity (actor_id, time, id);
CREATE INDEX activity_target ON otelaudit.activity (target_type, target_id, time, id);
CREATE INDEX activity_action ON otelaudit.activity (action, time, id);
CREATE INDEX activity_outcome ON otelaudit.activity (outcome, time, id) WHERE outcome <> 'success';
CREATE INDEX activity_tenant ON otelaudit.activity (tenant_id, time, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX activity_operation ON otelaudit.activity (operation_id, time, id) WHERE operation_id IS NOT NULL;
CREATE INDEX activity_on_behalf_of ON otelaudit.activity USING gin (on_behalf_of jsonb_path_ops) WHERE on_behalf_of IS NOT NULL;

-- ensure_partitions makes the partitions of the months that the given days lie in, where there are none, and returns how
-- many it made. A role that delivers needs EXECUTE on it, and with that neither CREATE on the schema nor ownership of the
-- table, which would let it change what it has delivered.
--
-- CREATE and then ATTACH: ATTACH takes SHARE UPDATE EXCLUSIVE on activity, which stands in nobody's way who reads or
-- delivers; CREATE TABLE … PARTITION OF would take ACCESS EXCLUSIVE, and wait for the longest report while everybody else
-- waits behind it. The bounds are in UTC whatever the session's time zone is.
CREATE FUNCTION otelaudit.ensure_partitions(days date[]) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
    parent CONSTANT regclass := 'otelaudit.activity';
    month  timestamp; -- without time zone: nothing here depends on the session's
    child  text;
    made   integer := 0;
BEGIN
    FOR month IN SELECT DISTINCT date_trunc('month', day::timestamp) FROM unnest(days) AS day ORDER BY 1 LOOP
        IF (month >= '1970-01-01' AND month < '10000-01-01') IS NOT TRUE THEN
            RAISE EXCEPTION 'otelaudit: no partition for %: want a day from 1970 to 9999', coalesce(month::text, 'NULL')
                USING ERRCODE = 'datetime_field_overflow';
        END IF;
        child := 'otelaudit.activity_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN pg_partition_root(to_regclass(child)) = parent;
        PERFORM pg_advisory_xact_lock(8031155551674393716); -- 'otelaudt'; Migrate has the same
        -- The lock that ATTACH takes in any case. Taking it is what makes this session notice the partitions that others
        -- made while it waited; waiting for the advisory lock does not.
        LOCK TABLE otelaudit.activity IN SHARE UPDATE EXCLUSIVE MODE;
        CONTINUE WHEN pg_partition_root(to_regclass(child)) = parent;
        IF to_regclass(child) IS NOT NULL THEN
            RAISE EXCEPTION '% is there, but is no partition of otelaudit.activity', child
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'If it was detached to be archived, move it to another schema; else attach it again.';
        END IF;
        EXECUTE format('CREATE TABLE %s (LIKE otelaudit.activity INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)', child);
        EXECUTE format('ALTER TABLE otelaudit.activity ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', child,
            to_char(month, 'YYYY-MM-DD 00:00:00+00'), to_char(month + interval '1 month', 'YYYY-MM-DD 00:00:00+00'));
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

COMMENT ON FUNCTION otelaudit.ensure_partitions(date[]) IS 'Makes the monthly partitions of activity that the given days need; returns how many were missing';

REVOKE ALL ON FUNCTION otelaudit.ensure_partitions(date[]) FROM PUBLIC;

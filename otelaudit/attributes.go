package otelaudit

// The attribute keys of a record: the draft of OpenTelemetry's audit signal (OTEP 0267), OpenTelemetry's semantic
// conventions v1.43, and otelaudit's own where neither has a name.
const (
	// The draft audit signal.
	KeyRecordID      = "audit.record.id"
	KeyActorID       = "audit.actor.id"
	KeyActorType     = "audit.actor.type"
	KeyVerb          = "audit.action"
	KeyOutcome       = "audit.outcome"
	KeyTargetID      = "audit.target.id"
	KeyTargetType    = "audit.target.type"
	KeySourceID      = "audit.source.id"
	KeySourceType    = "audit.source.type"
	KeySchemaVersion = "audit.schema.version"

	// Semantic conventions.
	KeyLogRecordUID   = "log.record.uid"
	KeyUserName       = "user.name"
	KeyUserRoles      = "user.roles"
	KeySessionID      = "session.id"
	KeyErrorType      = "error.type"
	KeyHTTPMethod     = "http.request.method"
	KeyHTTPRoute      = "http.route"
	KeyURLPath        = "url.path"
	KeyRPCMethod      = "rpc.method"
	KeyClientAddress  = "client.address"
	KeyPeerAddress    = "network.peer.address"
	KeyUserAgent      = "user_agent.original"
	KeyServiceName    = "service.name"
	KeyServiceVersion = "service.version"
	KeyServiceID      = "service.instance.id"

	// otelaudit's own.
	KeyActorTenant     = "otelaudit.actor.tenant.id"
	KeyActorAuthMethod = "otelaudit.actor.auth_method"
	KeyActorTrust      = "otelaudit.actor.trust"
	KeyOnBehalfOfType  = "otelaudit.actor.on_behalf_of.type"    // nearest first
	KeyOnBehalfOfID    = "otelaudit.actor.on_behalf_of.id"      // nearest first
	KeyOnBehalfOfMore  = "otelaudit.actor.on_behalf_of.details" // nearest first: what is known beyond type and id
	KeyTargetName      = "otelaudit.target.name"
	KeyRelated         = "otelaudit.related"
	KeyDetailedOutcome = "otelaudit.outcome" // "denied", where audit.outcome is "failure"
	KeyReason          = "otelaudit.reason"
	KeyChanges         = "otelaudit.changes"
	KeyTenant          = "otelaudit.tenant.id"
	KeyOperation       = "otelaudit.operation.id"
	KeyRequestID       = "otelaudit.request.id"
	KeySanitized       = "otelaudit.sanitized"
)

// SchemaVersion is the value of audit.schema.version: the version of this layout.
const SchemaVersion = "1"

// reservedPrefix is put before metadata keys that would speak for the record itself.
const reservedPrefix = "metadata."

// isOfActor reports whether key says who acted.
func isOfActor(key string) bool {
	switch key {
	case KeyActorID, KeyActorType, KeyUserName, KeyUserRoles, KeySessionID, KeyActorTenant, KeyActorAuthMethod,
		KeyOnBehalfOfType, KeyOnBehalfOfID, KeyOnBehalfOfMore:
		return true
	}
	return false
}

// isReserved reports whether key says who acted or carries the proof: explicit metadata must not.
func isReserved(key string) bool {
	switch key {
	case "", KeyUserName, KeyUserRoles, KeySessionID, KeyLogRecordUID:
		return true
	}
	return len(key) > 5 && (key[:6] == "audit." || len(key) > 9 && key[:10] == "otelaudit.")
}

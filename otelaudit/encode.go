package otelaudit

import (
	"encoding/hex"
	"net/netip"

	"go.opentelemetry.io/otel/attribute"
)

// AppendAttributes appends the attributes of r's OTel log record to dst: always in the same order, each key once, absent
// facts left out. [ParseRecord] is its inverse.
func (r *Record) AppendAttributes(dst []attribute.KeyValue) []attribute.KeyValue {
	str := func(key, value string) {
		if value != "" {
			dst = append(dst, attribute.String(key, value))
		}
	}
	id := r.ID.String()
	str(KeyRecordID, id)
	str(KeyLogRecordUID, id)
	str(KeySchemaVersion, SchemaVersion)

	actorType, actorID := r.Actor.draft()
	str(KeyActorType, actorType)
	str(KeyActorID, actorID)
	str(KeyUserName, r.Actor.Name)
	if len(r.Actor.Roles) > 0 {
		dst = append(dst, attribute.StringSlice(KeyUserRoles, r.Actor.Roles))
	}
	str(KeySessionID, r.Actor.Session)
	str(KeyActorTenant, r.Actor.Tenant)
	str(KeyActorAuthMethod, r.Actor.AuthMethod)
	str(KeyActorTrust, r.Actor.Trust.String())
	dst = appendChain(dst, r.Actor.OnBehalfOf)

	str(KeyVerb, r.Verb)
	outcome, detail := r.Outcome.draft()
	str(KeyOutcome, outcome)
	str(KeyDetailedOutcome, detail)
	str(KeyErrorType, r.ErrorType)
	str(KeyReason, r.Reason)
	str(KeyTargetType, r.Target.Type)
	str(KeyTargetID, r.Target.ID)
	str(KeyTargetName, r.Target.Name)
	if len(r.Related) > 0 {
		dst = append(dst, attribute.Slice(KeyRelated, encodeAll(r.Related, encodeTarget)...))
	}
	if len(r.Changes) > 0 {
		dst = append(dst, encodeChanges(r.Changes))
	}
	str(KeyTenant, r.Tenant)
	str(KeyOperation, r.Operation)

	q := &r.Request
	str(KeySourceID, q.ClientAddress)
	str(KeySourceType, sourceType(q.ClientAddress))
	str(KeyClientAddress, q.ClientAddress)
	str(KeyPeerAddress, q.PeerAddress)
	str(KeyHTTPMethod, q.Method)
	str(KeyHTTPRoute, q.Route)
	str(KeyURLPath, q.Path)
	str(KeyRPCMethod, q.RPCMethod)
	str(KeyUserAgent, q.UserAgent)
	str(KeyRequestID, q.ID)

	dst = append(dst, r.Metadata...)
	if len(r.Sanitized) > 0 {
		dst = append(dst, attribute.Slice(KeySanitized, encodeAll(r.Sanitized, encodeSanitization)...))
	}
	return dst
}

// draft returns the actor's type and id as OpenTelemetry's draft has them.
func (a *Actor) draft() (actorType, id string) {
	switch a.Type {
	case ActorAnonymous:
		return string(ActorUser), anonymousID
	case ActorUnknown:
		return string(ActorUser), unknownID
	default:
		return string(a.Type), a.ID
	}
}

// draft returns audit.outcome, and otelaudit.outcome where that says more.
func (o Outcome) draft() (outcome, detail string) {
	if o == Denied {
		return string(Failure), string(Denied)
	}
	return string(o), ""
}

// sourceType tells what kind of address it is: ipv4, ipv6 or hostname; empty for none.
func sourceType(address string) string {
	if address == "" {
		return ""
	}
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return "hostname"
	case ip.Is4():
		return "ipv4"
	default:
		return "ipv6"
	}
}

func encodeAll[T any](items []T, encode func(*T) attribute.Value) []attribute.Value {
	values := make([]attribute.Value, len(items))
	for i := range items {
		values[i] = encode(&items[i])
	}
	return values
}

// fields collects the entries of a map value and leaves out empty ones.
type fields []attribute.KeyValue

func (f *fields) str(key, value string) {
	if value != "" {
		*f = append(*f, attribute.String(key, value))
	}
}

func (f *fields) value(key string, v attribute.Value) {
	if v.Type() != attribute.EMPTY {
		*f = append(*f, attribute.KeyValue{Key: attribute.Key(key), Value: v})
	}
}

// The entries of the maps within otelaudit.related, .changes, .sanitized and .actor.on_behalf_of.details.
const (
	entryType       = "type"
	entryID         = "id"
	entryName       = "name"
	entryOld        = "old"
	entryNew        = "new"
	entryField      = "field"
	entryReason     = "reason"
	entryLength     = "length"
	entrySHA256     = "sha256"
	entryRoles      = "roles"
	entryTenant     = "tenant"
	entrySession    = "session"
	entryAuthMethod = "auth_method"
	entryTrust      = "trust"
)

func encodeTarget(t *Target) attribute.Value {
	var f fields
	f.str(entryType, t.Type)
	f.str(entryID, t.ID)
	f.str(entryName, t.Name)
	return attribute.MapValue(f...)
}

func encodeChanges(changes Changes) attribute.KeyValue {
	kvs := make([]attribute.KeyValue, len(changes))
	for i, ch := range changes {
		var f fields
		f.value(entryOld, ch.Old)
		f.value(entryNew, ch.New)
		kvs[i] = attribute.Map(ch.Field, f...)
	}
	return attribute.Map(KeyChanges, kvs...)
}

func encodeSanitization(s *Sanitization) attribute.Value {
	f := fields{attribute.Int(entryLength, s.Length)}
	f.str(entryField, s.Field)
	f.str(entryReason, string(s.Reason))
	if s.SHA256 != [32]byte{} {
		f.str(entrySHA256, hex.EncodeToString(s.SHA256[:]))
	}
	return attribute.MapValue(f...)
}

// appendChain writes the actors on whose behalf the actor acts: types and ids side by side, as the draft would have a list,
// and what else is known of them.
func appendChain(dst []attribute.KeyValue, a *Actor) []attribute.KeyValue {
	if a == nil {
		return dst
	}
	var types, names []string
	var details []attribute.Value
	detailed := false
	for ; a != nil; a = a.OnBehalfOf {
		actorType, id := a.draft()
		types, names = append(types, actorType), append(names, id)
		var f fields
		f.str(entryName, a.Name)
		f.str(entryTenant, a.Tenant)
		f.str(entrySession, a.Session)
		f.str(entryAuthMethod, a.AuthMethod)
		if a.Trust != TrustDeclared {
			f.str(entryTrust, a.Trust.String())
		}
		if len(a.Roles) > 0 {
			f.value(entryRoles, attribute.StringSliceValue(a.Roles))
		}
		detailed = detailed || len(f) > 0
		details = append(details, attribute.MapValue(f...))
	}
	dst = append(dst, attribute.StringSlice(KeyOnBehalfOfType, types), attribute.StringSlice(KeyOnBehalfOfID, names))
	if detailed {
		dst = append(dst, attribute.Slice(KeyOnBehalfOfMore, details...))
	}
	return dst
}

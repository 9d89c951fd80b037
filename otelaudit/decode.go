package otelaudit

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// LogRecord is an OTel log record as [ParseRecord] reads it; *log.Record of the OTel SDK is one.
type LogRecord interface {
	EventName() string
	Timestamp() time.Time
	ObservedTimestamp() time.Time
	Body() attribute.Value
	TraceID() trace.TraceID
	SpanID() trace.SpanID
	TraceFlags() trace.TraceFlags
	WalkAttributes(func(attribute.KeyValue) bool)
}

// IsAudit reports whether lr claims to be an audit record: it has audit.record.id, or any other mandatory attribute of
// OpenTelemetry's draft.
func IsAudit(lr LogRecord) bool {
	found := false
	lr.WalkAttributes(func(kv attribute.KeyValue) bool {
		switch kv.Key {
		case KeyRecordID, KeyActorID, KeyActorType, KeyVerb, KeyOutcome:
			found = true
		}
		return !found
	})
	return found
}

// ParseRecord reads a record from an OTel log record with the attributes that the draft of the audit signal makes
// mandatory: audit.record.id, audit.actor.id, audit.actor.type, audit.action and audit.outcome, besides an event name and a
// time. It returns an error that names what is missing and wraps [ErrInvalid].
//
// The time is the log record's Timestamp, or else that of an audit.record.id which is a UUIDv7. The observed time is no
// substitute: it differs each time the same record is emitted, and so would the record's key.
//
// For a log record made of [Record.AppendAttributes] the result is that record again. Of others, attributes that otelaudit
// has no field for become metadata, and all of it is made storable, as Track would.
func ParseRecord(lr LogRecord, resource attribute.Set) (*Record, error) {
	d := decoder{r: &Record{
		Action:     lr.EventName(),
		Observed:   lr.ObservedTimestamp(),
		Time:       lr.Timestamp(),
		TraceID:    lr.TraceID(),
		SpanID:     lr.SpanID(),
		TraceFlags: lr.TraceFlags(),
		Resource:   resource,
	}}
	lr.WalkAttributes(func(kv attribute.KeyValue) bool {
		if d.isString(kv) && d.text(string(kv.Key), kv.Value.AsString()) || d.composite(kv) {
			return true
		}
		d.r.Metadata = append(d.r.Metadata, kv)
		return true
	})
	if body := lr.Body(); body.Type() != attribute.EMPTY {
		d.r.Metadata = append(d.r.Metadata, attribute.KeyValue{Key: reservedPrefix + "body", Value: body})
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	makeStorable(d.r)
	return d.r, nil
}

type decoder struct {
	r                            *Record
	recordID, actorType, actorID string
	outcome, detailedOutcome     string
	sourceID, sourceType         string
	uid, schemaVersion           string
	chainTypes, chainIDs         []string
	chainDetails                 []attribute.Value
}

func (*decoder) isString(kv attribute.KeyValue) bool { return kv.Value.Type() == attribute.STRING }

// text takes an attribute that is a string, and reports whether there is a field for it.
func (d *decoder) text(key, s string) bool {
	r := d.r
	switch key {
	case KeyRecordID:
		d.recordID = s
	case KeyLogRecordUID:
		d.uid = s
	case KeySchemaVersion:
		d.schemaVersion = s
	case KeySourceType:
		d.sourceType = s
	case KeyActorType:
		d.actorType = s
	case KeyActorID:
		d.actorID = s
	case KeyUserName:
		r.Actor.Name = s
	case KeySessionID:
		r.Actor.Session = hashSession(s)
	case KeyActorTenant:
		r.Actor.Tenant = s
	case KeyActorAuthMethod:
		r.Actor.AuthMethod = s
	case KeyActorTrust:
		r.Actor.Trust = parseTrust(s)
	case KeyVerb:
		r.Verb = s
	case KeyOutcome:
		d.outcome = s
	case KeyDetailedOutcome:
		d.detailedOutcome = s
	case KeyReason:
		r.Reason = s
	case KeyTargetType:
		r.Target.Type = s
	case KeyTargetID:
		r.Target.ID = s
	case KeyTargetName:
		r.Target.Name = s
	case KeyTenant:
		r.Tenant = s
	case KeyOperation:
		r.Operation = s
	case KeySourceID:
		d.sourceID = s
	case KeyRequestID:
		r.Request.ID = s
	default:
		fact := r.fact(key)
		if fact == nil {
			return false
		}
		*fact = s
	}
	return true
}

// composite takes an attribute that is a slice or a map, and reports whether there is a field for it.
func (d *decoder) composite(kv attribute.KeyValue) bool {
	r, v := d.r, kv.Value
	switch {
	case kv.Key == KeyUserRoles && isStrings(v):
		r.Actor.Roles = stringsOf(v)
	case kv.Key == KeyOnBehalfOfType && isStrings(v):
		d.chainTypes = stringsOf(v)
	case kv.Key == KeyOnBehalfOfID && isStrings(v):
		d.chainIDs = stringsOf(v)
	case kv.Key == KeyOnBehalfOfMore && v.Type() == attribute.SLICE:
		d.chainDetails = v.AsSlice()
	case kv.Key == KeyRelated && v.Type() == attribute.SLICE:
		for _, e := range v.AsSlice() {
			m := d.entries(KeyRelated, e)
			r.Related = append(r.Related, Target{Type: m.str(entryType), ID: m.str(entryID), Name: m.str(entryName)})
		}
	case kv.Key == KeyChanges && v.Type() == attribute.MAP:
		for _, e := range v.AsMap() {
			m := d.entries(KeyChanges, e.Value)
			r.Changes = append(r.Changes, Change{Field: string(e.Key), Old: m[entryOld], New: m[entryNew]})
		}
	case kv.Key == KeySanitized && v.Type() == attribute.SLICE:
		for _, e := range v.AsSlice() {
			r.Sanitized = append(r.Sanitized, decodeSanitization(d.entries(KeySanitized, e)))
		}
	default:
		return false
	}
	return true
}

// finish puts together what came in several attributes, and refuses what lacks a mandatory one.
func (d *decoder) finish() error {
	r := d.r
	var missing []string
	for _, m := range []struct{ name, value string }{
		{"the event name", r.Action},
		{KeyRecordID, d.recordID},
		{KeyActorID, d.actorID},
		{KeyActorType, d.actorType},
		{KeyVerb, r.Verb},
		{KeyOutcome, d.outcome},
	} {
		if m.value == "" {
			missing = append(missing, m.name)
		}
	}
	id, idErr := ParseID(d.recordID)
	if r.Time.IsZero() {
		var known bool
		if r.Time, known = id.Time(); !known {
			missing = append(missing, "the timestamp, which only an "+KeyRecordID+" that is a UUIDv7 can stand in for")
		}
	}
	if len(missing) > 0 {
		return invalid("the log record %.100q is no audit record: it lacks %s", r.Action, strings.Join(missing, ", "))
	}
	if !isStorableTime(r.Time) {
		return invalid("the log record %.100q has a timestamp before 1970 or after 9999", r.Action)
	}
	if !isStorableTime(r.Observed) {
		r.Observed = r.Time
	}
	r.Time, r.Observed = micros(r.Time), micros(r.Observed)
	c := cleaner{r}
	if r.ID = id; idErr != nil || id.IsZero() {
		c.flagText(KeyRecordID, ReasonForeignID, d.recordID)
		r.ID = DeriveID(KeyRecordID, d.recordID)
		d.keep(KeyRecordID, d.recordID)
	}
	actorType := ActorType(d.actorType)
	r.Actor.Type, r.Actor.ID = fromDraft(actorType, d.actorID)
	if !r.Actor.Type.valid() {
		c.flagText(KeyActorType, ReasonRange, d.actorType)
		r.Actor.Type = ActorUser
	}
	r.Outcome = parseOutcome(&c, d.outcome, d.detailedOutcome)
	if r.Request.ClientAddress == "" {
		r.Request.ClientAddress = d.sourceID
	}
	r.Actor.OnBehalfOf = d.chain(&c)
	d.keepUnlike(KeySourceID, d.sourceID, r.Request.ClientAddress)
	d.keepUnlike(KeySourceType, d.sourceType, sourceType(r.Request.ClientAddress))
	d.keepUnlike(KeyLogRecordUID, d.uid, d.recordID)
	d.keepUnlike(KeySchemaVersion, d.schemaVersion, SchemaVersion)
	return nil
}

// keep keeps what a foreign record says and has no field as metadata.
func (d *decoder) keep(key, value string) {
	d.r.Metadata = append(d.r.Metadata, attribute.String(reservedPrefix+key, value))
}

// keepUnlike keeps an attribute that follows from others, where a foreign record has it otherwise.
func (d *decoder) keepUnlike(key, value, follows string) {
	if value != "" && value != follows {
		d.keep(key, value)
	}
}

func isStorableTime(t time.Time) bool { return t.Unix() >= 0 && t.Year() <= 9999 }

// fromDraft is the inverse of Actor.draft.
func fromDraft(t ActorType, id string) (ActorType, string) {
	switch {
	case t == ActorUser && id == anonymousID:
		return ActorAnonymous, ""
	case t == ActorUser && id == unknownID:
		return ActorUnknown, ""
	}
	return t, id
}

func parseOutcome(c *cleaner, outcome, detail string) Outcome {
	switch o := Outcome(outcome); {
	case o == Failure && detail == string(Denied):
		return Denied
	case o != Denied && o.valid():
		if detail != "" {
			c.flagText(KeyDetailedOutcome, ReasonRange, detail)
		}
		return o
	}
	c.flagText(KeyOutcome, ReasonRange, outcome)
	return OutcomeUnknown
}

func parseTrust(s string) Trust {
	switch s {
	case TrustPropagated.String():
		return TrustPropagated
	case TrustVerified.String():
		return TrustVerified
	}
	return TrustDeclared
}

func (d *decoder) chain(c *cleaner) *Actor {
	n := min(len(d.chainTypes), len(d.chainIDs))
	if most := max(len(d.chainTypes), len(d.chainIDs)); most != n {
		c.flag(KeyOnBehalfOfID, ReasonRange, most, [32]byte{})
	}
	var first *Actor
	for i := n - 1; i >= 0; i-- {
		a := &Actor{OnBehalfOf: first}
		a.Type, a.ID = fromDraft(ActorType(d.chainTypes[i]), d.chainIDs[i])
		if !a.Type.valid() {
			c.flagText(KeyOnBehalfOfType, ReasonRange, d.chainTypes[i])
			a.Type = ActorUser
		}
		if i < len(d.chainDetails) {
			m := entries(d.chainDetails[i])
			a.Name, a.Tenant, a.Session = m.str(entryName), m.str(entryTenant), m.str(entrySession)
			a.AuthMethod, a.Trust = m.str(entryAuthMethod), parseTrust(m.str(entryTrust))
			a.Roles = stringsOf(m[entryRoles])
		}
		first = a
	}
	return first
}

func decodeSanitization(m mapEntries) Sanitization {
	s := Sanitization{
		Field:  m.str(entryField),
		Reason: SanitizeReason(m.str(entryReason)),
		Length: int(m[entryLength].AsInt64()),
	}
	if hash, err := hex.DecodeString(m.str(entrySHA256)); err == nil {
		copy(s.SHA256[:], hash)
	}
	return s
}

// isStrings reports whether v is a list of strings, typed or, as some receivers of OTLP have it, not.
func isStrings(v attribute.Value) bool {
	return v.Type() == attribute.STRINGSLICE || v.Type() == attribute.SLICE &&
		!slices.ContainsFunc(v.AsSlice(), func(e attribute.Value) bool { return e.Type() != attribute.STRING })
}

func stringsOf(v attribute.Value) []string {
	if v.Type() != attribute.SLICE || !isStrings(v) {
		return v.AsStringSlice()
	}
	var texts []string
	for _, e := range v.AsSlice() {
		texts = append(texts, e.AsString())
	}
	return texts
}

// entries is an entry of the attribute key, which should be a map; what is none is flagged.
func (d *decoder) entries(key string, v attribute.Value) mapEntries {
	m := entries(v)
	if m == nil {
		c := cleaner{d.r}
		c.flagValue(key, ReasonType, v)
	}
	return m
}

// mapEntries is a map value, to be asked by key; a value that is no map has no entries.
type mapEntries map[string]attribute.Value

func entries(v attribute.Value) mapEntries {
	if v.Type() != attribute.MAP {
		return nil
	}
	m := mapEntries{}
	for _, kv := range v.AsMap() {
		m[string(kv.Key)] = kv.Value
	}
	return m
}

func (m mapEntries) str(key string) string {
	if v := m[key]; v.Type() == attribute.STRING {
		return v.AsString()
	}
	return ""
}

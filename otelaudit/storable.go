package otelaudit

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// makeStorable brings r into the one form in which records are stored and compared: text is UTF-8 without control
// characters and within its limits, metadata and changes are sorted and unique, values are finite. What had to be altered
// is flagged in r.Sanitized. Done twice it changes nothing more.
func makeStorable(r *Record) {
	c := cleaner{r: r}
	c.flags()
	c.resource()
	c.actor(&r.Actor)
	c.line("event_name", &r.Action, MaxActionBytes)
	if r.Action == "" { // only a foreign log record can have none
		r.Action = unknownID
	}
	c.line(KeyVerb, &r.Verb, MaxActionBytes)
	c.target(&r.Target, KeyTargetType, KeyTargetID, KeyTargetName)
	c.related()
	c.text(KeyReason, &r.Reason, MaxReasonBytes)
	c.id(KeyTenant, &r.Tenant)
	c.id(KeyOperation, &r.Operation)
	c.metadata() // before the error's type and the request, whose facts it may override
	c.line(KeyErrorType, &r.ErrorType, MaxNameBytes)
	c.request(&r.Request)
	if len(r.Changes) > 0 { // or the stack would grow for what is not there
		c.changes()
	}
	c.size()
	if len(r.Actor.Roles) == 0 {
		r.Actor.Roles = nil
	}
}

type cleaner struct{ r *Record }

func (c *cleaner) flag(field string, reason SanitizeReason, length int, hash [32]byte) {
	field, _ = clean(field, MaxKeyBytes, false) // it may come from outside as well
	s := Sanitization{Field: field, Reason: reason, Length: length, SHA256: hash}
	switch n := len(c.r.Sanitized); {
	case slices.Contains(c.r.Sanitized, s):
	case n < MaxFlags:
		c.r.Sanitized = append(c.r.Sanitized, s)
	default: // the last flag says how many there would have been
		last := &c.r.Sanitized[n-1]
		if last.Field != KeySanitized || last.Reason != ReasonTooMany {
			*last = Sanitization{Field: KeySanitized, Reason: ReasonTooMany, Length: n}
		}
		last.Length++
	}
}

// flags cleans flags that came with a foreign log record.
func (c *cleaner) flags() {
	if n := len(c.r.Sanitized); n > MaxFlags {
		c.r.Sanitized = c.r.Sanitized[:MaxFlags]
		c.r.Sanitized[MaxFlags-1] = Sanitization{Field: KeySanitized, Reason: ReasonTooMany, Length: n}
	}
	for i := range c.r.Sanitized {
		s := &c.r.Sanitized[i]
		s.Field, _ = clean(s.Field, MaxKeyBytes, false)
		reason, _ := clean(string(s.Reason), maxReasonName, false)
		s.Reason = SanitizeReason(reason)
	}
}

// resource cleans the resource of a foreign log record. A trail's own is clean already, and absent while Track runs.
func (c *cleaner) resource() {
	if c.r.Resource.Len() == 0 {
		return
	}
	kvs, changed := c.r.Resource.ToSlice(), false
	for i := range kvs {
		key := string(kvs[i].Key)
		c.line(key, &key, MaxKeyBytes)
		v, did := c.nested(key, kvs[i].Value, 1)
		changed = changed || did || key != string(kvs[i].Key)
		kvs[i] = attribute.KeyValue{Key: attribute.Key(key), Value: v}
	}
	if changed {
		c.r.Resource = attribute.NewSet(kvs...)
	}
}

func (c *cleaner) flagText(field string, reason SanitizeReason, original string) {
	c.flag(field, reason, len(original), sha256.Sum256([]byte(original)))
}

// line cleans a text of one line.
func (c *cleaner) line(field string, s *string, limit int) { c.clean(field, s, limit, false) }

// text cleans a text that may have line breaks and tabs.
func (c *cleaner) text(field string, s *string, limit int) { //nolint:unparam // two limits that happen to be equal
	c.clean(field, s, limit, true)
}

func (c *cleaner) clean(field string, s *string, limit int, multiline bool) {
	if len(*s) <= limit && isPlain(*s) {
		return
	}
	cleaned, reason := clean(*s, limit, multiline)
	if reason == "" {
		return
	}
	c.flagText(field, reason, *s)
	*s = cleaned
}

// id cleans an identifier. What is altered gets the hash of the original, so that two ids never become one.
func (c *cleaner) id(field string, s *string) {
	if len(*s) <= MaxIDBytes && isPlain(*s) {
		return
	}
	cleaned, reason := clean(*s, MaxIDBytes, false)
	if reason == "" {
		return
	}
	c.flagText(field, reason, *s)
	*s = withHash(cleaned, *s)
}

func withHash(cleaned, original string) string {
	hash := sha256.Sum256([]byte(original))
	prefix, _ := cut(cleaned, MaxIDBytes-1-2*len(hash))
	return prefix + "#" + hex.EncodeToString(hash[:])
}

func (c *cleaner) actor(a *Actor) {
	c.oneActor(a, KeyActorID, KeyActorTenant)
	depth := 0
	for at := &a.OnBehalfOf; *at != nil; at = &(*at).OnBehalfOf {
		if depth == MaxChain {
			n := depth
			for p := *at; p != nil; p = p.OnBehalfOf {
				n++
			}
			c.flag(KeyOnBehalfOfID, ReasonTooMany, n, [32]byte{})
			*at = nil
			return
		}
		// The chain belongs to the caller, and its sessions are not hashed yet.
		p := **at
		p.Session = hashSession(p.Session)
		c.oneActor(&p, KeyOnBehalfOfID, KeyOnBehalfOfMore)
		*at = &p
		depth++
	}
	c.roles()
}

// roles keeps the roles of all actors together within maxRolesBytes, the nearest actor's first.
func (c *cleaner) roles() {
	left := maxRolesBytes
	for a := &c.r.Actor; a != nil; a = a.OnBehalfOf {
		for i := range a.Roles {
			if left -= len(a.Roles[i]) + roleExtra; left < 0 {
				c.flagText(KeyUserRoles, ReasonTooLarge, strings.Join(a.Roles[i:], " "))
				a.Roles = a.Roles[:i]
				break
			}
		}
	}
}

func (c *cleaner) oneActor(a *Actor, idField, tenantField string) {
	c.id(idField, &a.ID)
	switch {
	case a.Type == ActorAnonymous || a.Type == ActorUnknown:
		if _, id := a.draft(); a.ID != "" && a.ID != id {
			c.flagText(idField, ReasonReserved, a.ID) // nobody has no id
		}
		a.ID = ""
	case a.Type == ActorUser && (a.ID == anonymousID || a.ID == unknownID):
		// A user of that name is somebody, and must not pass for nobody.
		c.flagText(idField, ReasonReserved, a.ID)
		a.ID = withHash(a.ID, a.ID)
	}
	c.line(KeyUserName, &a.Name, MaxNameBytes)
	c.id(tenantField, &a.Tenant)
	c.line(KeySessionID, &a.Session, MaxIDBytes)
	c.line(KeyActorAuthMethod, &a.AuthMethod, MaxNameBytes)
	if len(a.Roles) > 0 {
		a.Roles = slices.Clone(a.Roles)
	}
	if n := len(a.Roles); n > MaxRoles {
		c.flag(KeyUserRoles, ReasonTooMany, n, [32]byte{})
		a.Roles = a.Roles[:MaxRoles]
	}
	for i := range a.Roles {
		c.line(KeyUserRoles, &a.Roles[i], MaxNameBytes)
	}
}

func (c *cleaner) target(t *Target, typeField, idField, nameField string) {
	c.line(typeField, &t.Type, MaxActionBytes)
	c.id(idField, &t.ID)
	c.line(nameField, &t.Name, MaxNameBytes)
}

func (c *cleaner) related() {
	if n := len(c.r.Related); n > MaxRelated {
		c.flag(KeyRelated, ReasonTooMany, n, [32]byte{})
		c.r.Related = c.r.Related[:MaxRelated]
	}
	for i := range c.r.Related {
		c.target(&c.r.Related[i], KeyRelated, KeyRelated, KeyRelated)
	}
}

func (c *cleaner) request(q *Request) {
	c.line(KeyHTTPMethod, &q.Method, MaxMethodBytes)
	c.line(KeyHTTPRoute, &q.Route, MaxPathBytes)
	c.line(KeyURLPath, &q.Path, MaxPathBytes)
	c.line(KeyRPCMethod, &q.RPCMethod, MaxPathBytes)
	c.line(KeyClientAddress, &q.ClientAddress, MaxMethodBytes)
	c.line(KeyPeerAddress, &q.PeerAddress, MaxMethodBytes)
	c.line(KeyUserAgent, &q.UserAgent, MaxUserAgentBytes)
	c.id(KeyRequestID, &q.ID)
}

// metadata makes the keys storable, sorted and unique, moves what overrides a fact of the request into it, and cleans the
// values.
func (c *cleaner) metadata() {
	kvs := c.r.Metadata
	kept := kvs[:0]
	for i, kv := range kvs {
		key := string(kv.Key)
		if isReserved(key) {
			c.flagText(key, ReasonReserved, key)
			if key == "" {
				key = "unnamed"
			}
			key = reservedPrefix + key
		}
		c.line(key, &key, MaxKeyBytes)
		kv.Key = attribute.Key(key)
		if fact := c.r.fact(key); fact != nil {
			switch {
			case slices.ContainsFunc(kvs[i+1:], func(later attribute.KeyValue) bool { return later.Key == kv.Key }):
				c.flagValue(key, ReasonDuplicate, kv.Value)
			case kv.Value.Type() != attribute.STRING:
				c.flagValue(key, ReasonType, kv.Value)
			}
			*fact = kv.Value.String()
			continue
		}
		kept = append(kept, kv)
	}
	sortMetadata(kept)
	unique := kept[:0]
	for i, kv := range kept {
		if i+1 < len(kept) && kept[i+1].Key == kv.Key {
			c.flagValue(string(kv.Key), ReasonDuplicate, kv.Value)
			continue
		}
		unique = append(unique, kv)
	}
	if n := len(unique); n > MaxMetadata {
		c.flag(strings.TrimSuffix(reservedPrefix, "."), ReasonTooMany, n, [32]byte{})
		unique = unique[:MaxMetadata]
	}
	for i := range unique {
		c.value(string(unique[i].Key), &unique[i].Value)
	}
	c.r.Metadata = unique
}

// fact returns the automatic fact that explicit metadata of this key overrides, or nil.
func (r *Record) fact(key string) *string {
	switch key {
	case KeyErrorType:
		return &r.ErrorType
	case KeyHTTPMethod:
		return &r.Request.Method
	case KeyHTTPRoute:
		return &r.Request.Route
	case KeyURLPath:
		return &r.Request.Path
	case KeyRPCMethod:
		return &r.Request.RPCMethod
	case KeyClientAddress:
		return &r.Request.ClientAddress
	case KeyPeerAddress:
		return &r.Request.PeerAddress
	case KeyUserAgent:
		return &r.Request.UserAgent
	}
	return nil
}

func (c *cleaner) changes() {
	changes := c.r.Changes
	for i := range changes {
		c.line(KeyChanges, &changes[i].Field, MaxKeyBytes)
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	unique := changes[:0]
	for i, ch := range changes {
		if i+1 < len(changes) && changes[i+1].Field == ch.Field {
			c.flagText(KeyChanges, ReasonDuplicate, ch.Field)
			continue
		}
		unique = append(unique, ch)
	}
	if n := len(unique); n > MaxChanges {
		c.flag(KeyChanges, ReasonTooMany, n, [32]byte{})
		unique = unique[:MaxChanges]
	}
	for i := range unique {
		c.value(KeyChanges, &unique[i].Old)
		c.value(KeyChanges, &unique[i].New)
	}
	c.r.Changes = unique
}

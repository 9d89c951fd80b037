package postgres

import (
	"encoding/hex"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// The entries of the jsonb columns. docs/schema.md has them; what decodes them is in decode.go.
const (
	entryType        = "type"
	entryID          = "id"
	entryName        = "name"
	entryRoles       = "roles"
	entryTenant      = "tenant"
	entrySession     = "session"
	entryAuthMethod  = "auth_method"
	entryTrust       = "trust"
	entryOld         = "old"
	entryNew         = "new"
	entryField       = "field"
	entryReason      = "reason"
	entryLength      = "length"
	entrySHA256      = "sha256"
	entryMethod      = "method"
	entryRoute       = "route"
	entryPath        = "path"
	entryRPCMethod   = "rpc_method"
	entryPeerAddress = "peer_address"
	entryUserAgent   = "user_agent"
)

// appendActor writes what the columns of the actor do not have.
func appendActor(b []byte, a *otelaudit.Actor) []byte {
	start := len(b)
	b = append(openJSONB(b), '{')
	b = appendDetails(b, a)
	return closeObject(b, start)
}

func appendDetails(b []byte, a *otelaudit.Actor) []byte {
	if len(a.Roles) > 0 {
		b = append(appendKey(b, entryRoles), '[')
		for i, role := range a.Roles {
			if i > 0 {
				b = append(b, ',')
			}
			b = attrjson.AppendString(b, role)
		}
		b = append(b, ']')
	}
	b = appendEntry(b, entryTenant, a.Tenant)
	b = appendEntry(b, entrySession, a.Session)
	b = appendEntry(b, entryAuthMethod, a.AuthMethod)
	if a.Trust != otelaudit.TrustDeclared {
		b = appendEntry(b, entryTrust, a.Trust.String())
	}
	return b
}

// appendChain writes the actors on whose behalf the actor acts, nearest first.
func appendChain(b []byte, a *otelaudit.Actor) []byte {
	if a == nil {
		return appendNull(b)
	}
	start := len(b)
	b = append(openJSONB(b), '[')
	for ; a != nil; a = a.OnBehalfOf {
		d := draftOf(a.Type, a.ID)
		b = append(appendComma(b), '{')
		b = appendEntry(b, entryType, d.kind)
		b = appendEntry(b, entryID, d.id)
		b = appendEntry(b, entryName, a.Name)
		b = appendDetails(b, a)
		b = append(b, '}')
	}
	return closeJSONB(append(b, ']'), start)
}

func appendRelated(b []byte, targets []otelaudit.Target) []byte {
	if len(targets) == 0 {
		return appendNull(b)
	}
	start := len(b)
	b = append(openJSONB(b), '[')
	for i := range targets {
		b = append(appendComma(b), '{')
		b = appendEntry(b, entryType, targets[i].Type)
		b = appendEntry(b, entryID, targets[i].ID)
		b = appendEntry(b, entryName, targets[i].Name)
		b = append(b, '}')
	}
	return closeJSONB(append(b, ']'), start)
}

func appendChanges(b []byte, changes otelaudit.Changes) []byte {
	if len(changes) == 0 {
		return appendNull(b)
	}
	start := len(b)
	b = append(openJSONB(b), '{')
	for i := range changes {
		b = append(attrjson.AppendString(appendComma(b), changes[i].Field), ':', '{')
		b = appendValue(b, entryOld, changes[i].Old)
		b = appendValue(b, entryNew, changes[i].New)
		b = append(b, '}')
	}
	return closeJSONB(append(b, '}'), start)
}

// appendRequest writes what the column client_address does not have.
func appendRequest(b []byte, q *otelaudit.Request) []byte {
	start := len(b)
	b = append(openJSONB(b), '{')
	b = appendEntry(b, entryMethod, q.Method)
	b = appendEntry(b, entryRoute, q.Route)
	b = appendEntry(b, entryPath, q.Path)
	b = appendEntry(b, entryRPCMethod, q.RPCMethod)
	b = appendEntry(b, entryPeerAddress, q.PeerAddress)
	b = appendEntry(b, entryUserAgent, q.UserAgent)
	b = appendEntry(b, entryID, q.ID)
	return closeObject(b, start)
}

func appendSanitized(b []byte, sanitized []otelaudit.Sanitization) []byte {
	if len(sanitized) == 0 {
		return appendNull(b)
	}
	start := len(b)
	b = append(openJSONB(b), '[')
	for i := range sanitized {
		s := &sanitized[i]
		b = append(appendComma(b), '{')
		b = appendEntry(b, entryField, s.Field)
		b = appendEntry(b, entryReason, string(s.Reason))
		b = strconv.AppendInt(appendKey(b, entryLength), int64(s.Length), 10)
		if s.SHA256 != [32]byte{} {
			b = append(appendKey(b, entrySHA256), '"')
			b = append(hex.AppendEncode(b, s.SHA256[:]), '"')
		}
		b = append(b, '}')
	}
	return closeJSONB(append(b, ']'), start)
}

// closeObject ends the object that begins at start; one without entries is NULL.
func closeObject(b []byte, start int) []byte {
	if b[len(b)-1] == '{' {
		return appendNull(b[:start])
	}
	return closeJSONB(append(b, '}'), start)
}

// appendComma separates an element or entry from the one before, if there is one: nothing but an opening bracket can stand
// before the first, and no value ends in one.
func appendComma(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

// appendKey writes one of the entries above, none of which needs escaping.
func appendKey(b []byte, key string) []byte {
	b = append(appendComma(b), '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

func appendEntry(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return attrjson.AppendString(appendKey(b, key), value)
}

func appendValue(b []byte, key string, v attribute.Value) []byte {
	if v.Type() == attribute.EMPTY {
		return b
	}
	return attrjson.Append(appendKey(b, key), v)
}

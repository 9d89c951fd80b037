package integrity

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

const document = "../docs/record-format.md"

// The document's worked example is what the code writes, byte for byte.
func TestTheDocumentsDump(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), "<!-- dump -->\n")
	require.True(t, found)
	_, after, found := strings.Cut(rest, "<!-- end of dump -->")
	require.True(t, found)
	want := before + "<!-- dump -->\n" + dump(t, example(t)) + "<!-- end of dump -->" + after
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(text), "run go test -run TestTheDocumentsDump -update, and read the difference")
}

// example has something of everything that has a form of its own.
func example(tb testing.TB) *otelaudit.Record {
	tb.Helper()
	actor := otelaudit.Service("orders").For(otelaudit.User("ana"))
	actor.Roles, actor.Trust = []string{"approver"}, otelaudit.TrustVerified
	ctx := otelaudit.ContextWithRequest(tb.Context(), otelaudit.Request{Method: "POST", Route: "/invoices/{id}", ClientAddress: "203.0.113.7"})
	r := recorded(tb, trace.ContextWithSpanContext(ctx, spanContext), otelaudit.Activity{
		ID: otelaudit.DeriveID("integrity", "example"), Time: noon, Action: "invoice.approve", Actor: actor,
		Target:  otelaudit.Target{Type: "invoice", ID: "42"},
		Related: []otelaudit.Target{{Type: "order", ID: "7"}},
		Changes: otelaudit.Changes{{Field: "approver", New: attribute.StringValue("ana")}},
		Metadata: []attribute.KeyValue{
			attribute.Int("cents", 129900), attribute.Map("flags", attribute.Bool("rush", true)), attribute.String("note", "a\x00"),
		},
	})
	r.Resource = attribute.NewSet(attribute.String("service.name", "billing"))
	return r
}

// dump names the parts of r's form, in their order.
func dump(t *testing.T, r *otelaudit.Record) string {
	t.Helper()
	var out strings.Builder
	var all []byte
	part := func(name string, b []byte) {
		for off := 0; off < len(b); off += 16 {
			line := b[off:min(off+16, len(b))]
			fmt.Fprintf(&out, "%s\n", strings.TrimRight(fmt.Sprintf("%08x  %-47s  %-18s  %s", len(all)+off, hexed(line), shown(line), name), " "))
			name = ""
		}
		all = append(all, b...)
	}
	str := func(name, s string) { part(name, appendString(nil, s)) }
	count := func(name string, n int) { part(fmt.Sprintf("%s: %d", name, n), appendCount(nil, n)) }
	value := func(name string, v attribute.Value) { part(name+", "+v.Type().String(), appendValue(nil, &v)) }
	attributes := func(name string, kvs []attribute.KeyValue) {
		count(name, len(kvs))
		for _, kv := range kvs {
			str("key", string(kv.Key))
			value("value", kv.Value)
		}
	}
	target := func(name string, target otelaudit.Target) {
		str(name+" type", target.Type)
		str(name+" id", target.ID)
		str(name+" name", target.Name)
	}

	part("version", []byte{version})
	part("id", r.ID[:])
	part("time: "+r.Time.Format("2006-01-02T15:04:05.000000Z"), appendInt64(nil, r.Time.UnixMicro()))
	part("observed", appendInt64(nil, r.Observed.UnixMicro()))
	part("trace id", r.TraceID[:])
	part("span id", r.SpanID[:])
	part("trace flags", []byte{byte(r.TraceFlags)})
	part("outcome: "+string(r.Outcome), []byte{number(outcomes, r.Outcome)})
	str("action", r.Action)
	str("verb", r.Verb)
	str("error type", r.ErrorType)
	str("reason", r.Reason)
	str("tenant", r.Tenant)
	str("operation", r.Operation)
	count("actors", 2)
	for a := &r.Actor; a != nil; a = a.OnBehalfOf {
		part("actor type: "+string(a.Type), []byte{number(actorTypes, a.Type)})
		part("trust: "+a.Trust.String(), []byte{byte(a.Trust)})
		str("id", a.ID)
		str("name", a.Name)
		str("tenant", a.Tenant)
		str("session", a.Session)
		str("authentication method", a.AuthMethod)
		count("roles", len(a.Roles))
		for _, role := range a.Roles {
			str("role", role)
		}
	}
	target("target", r.Target)
	count("related targets", len(r.Related))
	target("related", r.Related[0])
	count("changes", len(r.Changes))
	str("field", r.Changes[0].Field)
	value("old", r.Changes[0].Old)
	value("new", r.Changes[0].New)
	attributes("metadata", r.Metadata)
	q := r.Request
	str("request method", q.Method)
	str("route", q.Route)
	str("path", q.Path)
	str("RPC method", q.RPCMethod)
	str("client address", q.ClientAddress)
	str("peer address", q.PeerAddress)
	str("user agent", q.UserAgent)
	str("request id", q.ID)
	count("sanitizations", len(r.Sanitized))
	s := r.Sanitized[0]
	str("field", s.Field)
	str("reason", string(s.Reason))
	part("length", appendInt64(nil, int64(s.Length)))
	part("SHA-256", s.SHA256[:])
	attributes("resource", r.Resource.ToSlice())
	require.Equal(t, all, AppendCanonical(nil, r))
	return "\n```text\n" + out.String() + "```\n\n"
}

func hexed(b []byte) string {
	cells := make([]string, len(b))
	for i := range b {
		cells[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(cells, " ")
}

func shown(b []byte) string {
	text := []byte("|" + string(b) + "|")
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '.'
		}
	}
	return string(text)
}

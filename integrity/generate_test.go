package integrity

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// shared returns g with its name fixed: rapid fixes it at the first use, which is a data race between parallel tests that share g.
func shared[V any](g *rapid.Generator[V]) *rapid.Generator[V] {
	_ = g.String()
	return g
}

// genText is anything: what is not storable, not UTF-8, and about as long as a length of one, two or three bytes can be.
var genText = shared(rapid.OneOf(
	rapid.Just(""),
	rapid.StringMatching(`[ -~]{1,12}`),
	rapid.String(),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 20), func(b []byte) string { return string(b) }),
	rapid.SampledFrom([]string{"\x00", "\xff", "\u202e", "audit.actor.id", "http.route", "anonymous", "unknown", "日本語", "\U0010ffff"}),
	rapid.Map(rapid.SampledFrom([]int{126, 127, 128, 129, 255, 256, 1024, 16383, 16384, 16385}), func(n int) string {
		return strings.Repeat("x", n)
	}),
))

var genFloat = shared(rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Uint64(), math.Float64frombits), rapid.SampledFrom([]float64{
	math.NaN(), math.Float64frombits(0x7ff0000000000001), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1, 5e-324,
})))

func genValue(depth int) *rapid.Generator[attribute.Value] {
	return rapid.Custom(func(t *rapid.T) attribute.Value {
		kinds := 11
		if depth <= 0 {
			kinds = 9
		}
		switch rapid.IntRange(0, kinds).Draw(t, "type") {
		case 0:
			return attribute.Value{}
		case 1:
			return attribute.BoolValue(rapid.Bool().Draw(t, "bool"))
		case 2:
			return attribute.Int64Value(rapid.Int64().Draw(t, "int"))
		case 3:
			return attribute.Float64Value(genFloat.Draw(t, "float"))
		case 4:
			return attribute.ByteSliceValue(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
		case 5:
			return attribute.BoolSliceValue(rapid.SliceOfN(rapid.Bool(), 0, 5).Draw(t, "bools"))
		case 6:
			return attribute.Int64SliceValue(rapid.SliceOfN(rapid.Int64(), 0, 5).Draw(t, "ints"))
		case 7:
			return attribute.Float64SliceValue(rapid.SliceOfN(genFloat, 0, 5).Draw(t, "floats"))
		case 8:
			return attribute.StringSliceValue(rapid.SliceOfN(genText, 0, 5).Draw(t, "texts"))
		case 9:
			return attribute.StringValue(genText.Draw(t, "text"))
		case 10:
			return attribute.SliceValue(rapid.SliceOfN(genValue(depth-1), 0, 7).Draw(t, "slice")...)
		default:
			return attribute.MapValue(genAttributes(t, depth-1)...)
		}
	})
}

// genAttributes draws attributes with keys that ascend, as those of records do.
func genAttributes(t *rapid.T, depth int) []attribute.KeyValue {
	keys := rapid.SliceOfNDistinct(genText, 0, 7, rapid.ID[string]).Draw(t, "keys")
	slices.Sort(keys)
	kvs := make([]attribute.KeyValue, len(keys))
	for i, key := range keys {
		kvs[i] = attribute.KeyValue{Key: attribute.Key(key), Value: genValue(depth).Draw(t, "value")}
	}
	return kvs
}

func genTarget(t *rapid.T) otelaudit.Target {
	return otelaudit.Target{Type: genText.Draw(t, "type"), ID: genText.Draw(t, "id"), Name: genText.Draw(t, "name")}
}

func genRequest(t *rapid.T) otelaudit.Request {
	return otelaudit.Request{
		Method: genText.Draw(t, "method"), Route: genText.Draw(t, "route"), Path: genText.Draw(t, "path"),
		RPCMethod: genText.Draw(t, "rpc"), ClientAddress: genText.Draw(t, "client"), PeerAddress: genText.Draw(t, "peer"),
		UserAgent: genText.Draw(t, "agent"), ID: genText.Draw(t, "request id"),
	}
}

func genActor(t *rapid.T, types []otelaudit.ActorType) otelaudit.Actor {
	var first *otelaudit.Actor
	for range 1 + max(0, rapid.IntRange(-5, otelaudit.MaxChain+2).Draw(t, "behind")) {
		first = &otelaudit.Actor{
			Type:       rapid.SampledFrom(types).Draw(t, "type"),
			ID:         "i" + genText.Draw(t, "id"),
			Name:       genText.Draw(t, "name"),
			Roles:      rapid.SliceOfN(genText, 0, 3).Draw(t, "roles"),
			Tenant:     genText.Draw(t, "tenant"),
			Session:    genText.Draw(t, "session"),
			AuthMethod: genText.Draw(t, "method"),
			Trust:      otelaudit.Trust(rapid.IntRange(0, 2).Draw(t, "trust")),
			OnBehalfOf: first,
		}
	}
	return *first
}

func genSpan(t *rapid.T) trace.SpanContext {
	sc := trace.SpanContextConfig{TraceFlags: trace.TraceFlags(rapid.Byte().Draw(t, "flags"))}
	copy(sc.TraceID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
	copy(sc.SpanID[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "span"))
	return trace.NewSpanContext(sc)
}

// genActivity draws an activity as the world sends them, and the context of its call.
func genActivity(t *rapid.T) (context.Context, otelaudit.Activity) {
	ctx := otelaudit.ContextWithOperation(context.Background(), genText.Draw(t, "operation"))
	ctx = otelaudit.ContextWithRequest(ctx, genRequest(t))
	ctx = trace.ContextWithSpanContext(ctx, genSpan(t))
	a := otelaudit.Activity{
		Action:   "a" + genText.Draw(t, "action"),
		Target:   genTarget(t),
		Related:  rapid.SliceOfN(rapid.Custom(genTarget), 0, 3).Draw(t, "related"),
		Outcome:  rapid.SampledFrom(outcomes).Draw(t, "outcome"),
		Reason:   genText.Draw(t, "reason"),
		Tenant:   genText.Draw(t, "tenant"),
		Time:     time.UnixMicro(rapid.Int64Range(0, noon.UnixMicro()).Draw(t, "time")),
		Metadata: append(genAttributes(t, 9), genAttributes(t, 2)...), // keys twice, and values deeper than records are
	}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		a.Changes = append(a.Changes, otelaudit.Change{
			Field: genText.Draw(t, "field"), Old: genValue(2).Draw(t, "old"), New: genValue(9).Draw(t, "new"),
		})
	}
	if rapid.Bool().Draw(t, "acted") {
		a.Actor = genActor(t, actorTypes[1:])
	}
	if rapid.Bool().Draw(t, "failed") {
		a.Err = context.Canceled
	}
	return ctx, a
}

// genRecord draws whatever the form can hold: also what no Recorder makes.
func genRecord(t *rapid.T) *otelaudit.Record {
	sc := genSpan(t)
	r := &otelaudit.Record{
		Time:      time.UnixMicro(rapid.Int64().Draw(t, "time")).UTC(),
		Observed:  time.UnixMicro(rapid.Int64().Draw(t, "observed")).UTC(),
		Action:    genText.Draw(t, "action"),
		Verb:      genText.Draw(t, "verb"),
		Actor:     genActor(t, actorTypes),
		Target:    genTarget(t),
		Related:   rapid.SliceOfN(rapid.Custom(genTarget), 0, 3).Draw(t, "related"),
		Outcome:   rapid.SampledFrom(outcomes).Draw(t, "outcome"),
		ErrorType: genText.Draw(t, "error"),
		Reason:    genText.Draw(t, "reason"),
		Metadata:  genAttributes(t, 3),
		Tenant:    genText.Draw(t, "tenant"),
		Operation: genText.Draw(t, "operation"),
		Request:   genRequest(t),
		TraceID:   sc.TraceID(), SpanID: sc.SpanID(), TraceFlags: sc.TraceFlags(),
		Resource: attribute.NewSet(genAttributes(t, 2)...),
	}
	copy(r.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	for _, kv := range genAttributes(t, 1) {
		r.Changes = append(r.Changes, otelaudit.Change{Field: string(kv.Key), Old: kv.Value, New: genValue(3).Draw(t, "new")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "flags") {
		s := otelaudit.Sanitization{
			Field: genText.Draw(t, "field"), Reason: otelaudit.SanitizeReason(genText.Draw(t, "why")), Length: rapid.Int().Draw(t, "length"),
		}
		copy(s.SHA256[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "hash"))
		r.Sanitized = append(r.Sanitized, s)
	}
	return r
}

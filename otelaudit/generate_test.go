package otelaudit

import (
	"context"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

// What tests make activities of: what the world sends.

// pieces are put together to texts.
var pieces = []string{
	"", "a", "ana", "invoice.approve", ".", "\x00", "\n", "\r\n", "\t", "\x7f", "\u0085", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff",
	"\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x92", "\ufffd", "…", "é", "日本語", "العربية", "עברית", "हिन्दी", "👩‍👩‍👧", "𝕏", "\U0010ffff",
	anonymousID, unknownID, "#", "sha256:", "sha256:" + strings.Repeat("0", 64), "sha256:" + strings.Repeat("\x01", 64),
	"audit.", "otelaudit.", "metadata.", KeyActorID, KeyHTTPRoute, KeyUserName, KeySanitized, KeyErrorType, Redacted, `"\`, "192.0.2.1", "::1",
}

// shared returns g with its name fixed: rapid fixes it at the first use, which is a data race between parallel tests that share g.
func shared[V any](g *rapid.Generator[V]) *rapid.Generator[V] {
	_ = g.String()
	return g
}

var genText = shared(rapid.Custom(func(t *rapid.T) string {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return rapid.String().Draw(t, "any")
	case 1:
		return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
	case 2: // about a limit long
		limit := rapid.SampledFrom([]int{MaxActionBytes, MaxIDBytes, MaxPathBytes, MaxValueBytes}).Draw(t, "limit")
		length := limit + rapid.IntRange(-3, 3).Draw(t, "more")
		piece := rapid.SampledFrom([]string{"x", "é", "日", "\x00", "\xff", "👩"}).Draw(t, "piece")
		text := strings.Repeat(piece, length/len(piece))
		return text + strings.Repeat("y", length-len(text))
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, "pieces"), "")
}))

var genScalar = shared(rapid.Custom(func(t *rapid.T) attribute.Value {
	switch rapid.IntRange(0, 9).Draw(t, "type") {
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
		return attribute.BoolSliceValue(rapid.SliceOfN(rapid.Bool(), 0, 4).Draw(t, "bools"))
	case 6:
		return attribute.Int64SliceValue(rapid.SliceOfN(rapid.Int64(), 0, 4).Draw(t, "ints"))
	case 7:
		return attribute.Float64SliceValue(rapid.SliceOfN(genFloat, 0, 4).Draw(t, "floats"))
	case 8:
		return attribute.StringSliceValue(rapid.SliceOfN(genText, 0, 4).Draw(t, "texts"))
	}
	return attribute.StringValue(genText.Draw(t, "text"))
}))

var genFloat = shared(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
	math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1, math.MaxFloat64, math.SmallestNonzeroFloat64,
})))

var genValue = shared(rapid.Custom(func(t *rapid.T) attribute.Value {
	v := genScalar.Draw(t, "value")
	for range rapid.IntRange(-6, MaxDepth+2).Draw(t, "depth") { // as if it came in so many lists and maps
		if rapid.Bool().Draw(t, "list") {
			v = attribute.SliceValue(genScalar.Draw(t, "beside"), v)
		} else {
			v = attribute.MapValue(
				attribute.KeyValue{Key: attribute.Key(genText.Draw(t, "key")), Value: v},
				attribute.KeyValue{Key: attribute.Key(genText.Draw(t, "key beside")), Value: genScalar.Draw(t, "value beside")})
		}
	}
	return v
}))

var genKeyValue = shared(rapid.Custom(func(t *rapid.T) attribute.KeyValue {
	return attribute.KeyValue{Key: attribute.Key(genText.Draw(t, "key")), Value: genValue.Draw(t, "value")}
}))

var genTarget = shared(rapid.Custom(func(t *rapid.T) Target {
	return Target{Type: genText.Draw(t, "type"), ID: genText.Draw(t, "id"), Name: genText.Draw(t, "name")}
}))

var genActor = shared(rapid.Custom(func(t *rapid.T) Actor {
	var first *Actor
	for range 1 + max(0, rapid.IntRange(-8, MaxChain+2).Draw(t, "behind")) {
		first = &Actor{
			Type:       rapid.SampledFrom([]ActorType{ActorUser, ActorService, ActorSystem, ActorAnonymous, ActorUnknown}).Draw(t, "type"),
			ID:         "i" + genText.Draw(t, "id"),
			Name:       genText.Draw(t, "name"),
			Roles:      rapid.SliceOfN(genText, 0, 3).Draw(t, "roles"),
			Tenant:     genText.Draw(t, "tenant"),
			Session:    genText.Draw(t, "session"),
			AuthMethod: genText.Draw(t, "method"),
			Trust:      Trust(rapid.IntRange(0, 2).Draw(t, "trust")),
			OnBehalfOf: first,
		}
		if rapid.IntRange(0, 3).Draw(t, "reserved") == 0 {
			first.ID = rapid.SampledFrom([]string{anonymousID, unknownID, anonymousID + "#"}).Draw(t, "reserved id")
		}
	}
	return *first
}))

var genRequest = shared(rapid.Custom(func(t *rapid.T) Request {
	return Request{
		Method: genText.Draw(t, "method"), Route: genText.Draw(t, "route"), Path: genText.Draw(t, "path"),
		RPCMethod: genText.Draw(t, "rpc"), ClientAddress: genText.Draw(t, "client"), PeerAddress: genText.Draw(t, "peer"),
		UserAgent: genText.Draw(t, "agent"), ID: genText.Draw(t, "request id"),
	}
}))

var genActivity = shared(rapid.Custom(func(t *rapid.T) Activity {
	a := Activity{
		Action:   rapid.OneOf(rapid.Just("a.create"), genText).Filter(func(s string) bool { return s != "" && s[0] != '.' }).Draw(t, "action"),
		Target:   genTarget.Draw(t, "target"),
		Related:  rapid.SliceOfN(genTarget, 0, 3).Draw(t, "related"),
		Outcome:  rapid.SampledFrom([]Outcome{"", Success, Failure, Denied, OutcomeUnknown}).Draw(t, "outcome"),
		Reason:   genText.Draw(t, "reason"),
		Tenant:   genText.Draw(t, "tenant"),
		Metadata: rapid.SliceOfN(genKeyValue, 0, 5).Draw(t, "metadata"),
		Time:     time.UnixMicro(rapid.Int64Range(0, now.UnixMicro()).Draw(t, "time")),
	}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		a.Changes = append(a.Changes, Change{genText.Draw(t, "field"), genValue.Draw(t, "old"), genValue.Draw(t, "new")})
	}
	if rapid.Bool().Draw(t, "has actor") {
		a.Actor = genActor.Draw(t, "actor")
	}
	return a
}))

// inflate makes a larger than a record can be.
func inflate(a Activity, filling string) Activity {
	v := attribute.StringValue(strings.Repeat(filling, MaxValueBytes/2))
	for i := range 200 {
		key := attribute.Key("huge" + strings.Repeat("k", i))
		a.Metadata = append(a.Metadata, attribute.KeyValue{Key: key, Value: v})
		a.Changes = append(a.Changes, Change{Field: string(key), Old: v, New: attribute.SliceValue(v, v)})
		a.Related = append(a.Related, Target{Type: "t", ID: strings.Repeat("i", 10*i)})
	}
	return a
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var genContext = shared(rapid.Custom(func(t *rapid.T) context.Context {
	ctx := context.Background()
	if rapid.Bool().Draw(t, "has request") {
		ctx = ContextWithRequest(ctx, genRequest.Draw(t, "request"))
		ctx = ContextWithOperation(ctx, genText.Draw(t, "operation"))
	}
	if rapid.Bool().Draw(t, "has actor") {
		ctx = ContextWithActor(ctx, genActor.Draw(t, "actor"))
	}
	if rapid.Bool().Draw(t, "has reason") {
		ctx = ContextWithReason(ctx, genText.Draw(t, "reason"))
	}
	if rapid.Bool().Draw(t, "has span") {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.TraceFlags(rapid.IntRange(0, 1).Draw(t, "sampled")),
		}))
	}
	return ctx
}))

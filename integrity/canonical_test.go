package integrity

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// requireReturn requires that r comes back from its canonical form, as d and as ParseCanonical read it.
func requireReturn(t require.TestingT, d *Decoder, into, r *otelaudit.Record) {
	data := AppendCanonical(nil, r)
	require.Equal(t, data, AppendCanonical(nil, r.Clone()), "the form does not depend on memory")
	require.NoError(t, d.Decode(data, into))
	require.Equal(t, plain(*r), plain(*into))
	require.Equal(t, data, AppendCanonical(nil, into))
	parsed, err := ParseCanonical(data)
	require.NoError(t, err)
	require.Equal(t, plain(*r), plain(*parsed))
	require.True(t, r.SameActivity(parsed))
}

func TestWhatIsRecordedComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx, a := genActivity(rt)
		var d Decoder
		var into otelaudit.Record
		for range 2 { // the second with memory of the first
			r := recorded(t, ctx, a)
			r.Resource = otelaudit.StorableResource(attribute.NewSet(genAttributes(rt, 2)...))
			requireReturn(rt, &d, &into, r)
			ctx, a = genActivity(rt)
		}
	})
}

func TestWhatTheFormHoldsComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var d Decoder
		var into otelaudit.Record
		for range rapid.IntRange(1, 3).Draw(rt, "records") {
			requireReturn(rt, &d, &into, genRecord(rt))
		}
	})
}

func TestTheseComeBack(t *testing.T) {
	t.Parallel()
	var d Decoder
	var into otelaudit.Record
	for _, r := range []*otelaudit.Record{{}, typical(t), full(), typical(t), {}, full()} {
		requireReturn(t, &d, &into, r)
	}
	// What has no entries is nil, as in a new record.
	r, err := ParseCanonical(AppendCanonical(nil, &otelaudit.Record{}))
	require.NoError(t, err)
	require.Equal(t, &otelaudit.Record{}, r)
}

func TestTheLongestComeBack(t *testing.T) {
	t.Parallel()
	r := full()
	nested := attribute.StringValue("x")
	for range maxDepth / 2 {
		nested = attribute.SliceValue(attribute.MapValue(attribute.KeyValue{Key: "k", Value: nested}), attribute.Value{})
	}
	r.Metadata[0].Value, r.Changes[0].Old = nested, nested
	r.Resource = attribute.NewSet(attribute.KeyValue{Key: "nested", Value: nested})
	r.Actor.OnBehalfOf = nil
	for range maxActors - 1 {
		r.Actor = r.Actor.For(otelaudit.User("u"))
	}
	requireReturn(t, new(Decoder), new(otelaudit.Record), r)
}

// A field that a record gets must get a place in the form, and with it another version.
func TestEveryFieldCounts(t *testing.T) {
	t.Parallel()
	r := full()
	data := AppendCanonical(nil, r)
	fields := 0
	var visit func(path string, v reflect.Value)
	visit = func(path string, v reflect.Value) {
		switch v.Interface().(type) {
		case time.Time, attribute.Value, attribute.Set:
		default:
			switch v.Kind() {
			case reflect.Struct:
				for i := range v.NumField() {
					visit(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
				return
			case reflect.Slice:
				require.Positive(t, v.Len(), path)
				visit(path+"[0]", v.Index(0))
			case reflect.Pointer:
				if v.IsNil() { // the end of the chain
					return
				}
				visit(path, v.Elem())
			case reflect.Func: // Request.RouteFunc, which a record never has
				return
			}
		}
		fields++
		require.False(t, v.IsZero(), "full leaves out %s", path)
		old := reflect.ValueOf(v.Interface())
		v.SetZero()
		require.NotEqual(t, data, AppendCanonical(nil, r), path)
		v.Set(old)
	}
	visit("Record", reflect.ValueOf(r).Elem())
	require.Equal(t, data, AppendCanonical(nil, r))
	require.Greater(t, fields, 50)
}

// Each value has a form of its own: none is another's.
func TestValuesAreToldApart(t *testing.T) {
	t.Parallel()
	seen := map[string]attribute.Value{}
	for _, v := range []attribute.Value{
		{},
		attribute.BoolValue(false), attribute.Int64Value(0), attribute.Float64Value(0), attribute.StringValue(""), attribute.ByteSliceValue(nil),
		attribute.BoolSliceValue(nil), attribute.Int64SliceValue(nil), attribute.Float64SliceValue(nil), attribute.StringSliceValue(nil),
		attribute.SliceValue(), attribute.MapValue(), attribute.SliceValue(attribute.Value{}), attribute.SliceValue(attribute.StringValue("")),
		attribute.StringSliceValue([]string{""}), attribute.BoolSliceValue([]bool{false}), attribute.SliceValue(attribute.BoolValue(false)),
	} {
		form := string(appendValue(nil, &v))
		require.NotContains(t, seen, form)
		seen[form] = v
	}
}

func TestDecodedRecordsAreIndependent(t *testing.T) {
	t.Parallel()
	var d Decoder
	var r otelaudit.Record
	data := AppendCanonical(nil, full())
	require.NoError(t, d.Decode(data, &r))
	clear(data)
	require.Equal(t, plain(*full()), plain(r), "nothing is shared with data")
	kept := r.Clone()

	related, metadata := &r.Related[0], &r.Metadata[0]
	other := full()
	other.Actor.Roles, other.Actor.OnBehalfOf.Roles, other.Actor.OnBehalfOf.ID = []string{"other"}, []string{"other"}, "other"
	other.Related[0].ID, other.Metadata[0].Value, other.Changes[0].Old = "other", attribute.IntValue(1), attribute.IntValue(2)
	other.Sanitized[0].Length = 1
	other.Resource = attribute.NewSet(attribute.Int("other", 1))
	require.NoError(t, d.Decode(AppendCanonical(nil, other), &r))
	require.Equal(t, plain(*other), plain(r))
	require.Same(t, related, &r.Related[0], "the memory of r is used again")
	require.Same(t, metadata, &r.Metadata[0])
	require.Equal(t, plain(*full()), plain(*kept), "what was cloned stays")
}

// A record that is not as a Recorder makes them does not come back as another.
func TestWhatNoRecordIsDoesNotComeBack(t *testing.T) {
	t.Parallel()
	circle := otelaudit.User("u")
	circle.OnBehalfOf = &circle
	deep := attribute.Value{}
	for range maxDepth + 1 {
		deep = attribute.SliceValue(deep)
	}
	twice := attribute.MapValue(attribute.Int("k", 1), attribute.Int("k", 2))
	for name, change := range map[string]func(r *otelaudit.Record){
		"a circle of actors":   func(r *otelaudit.Record) { r.Actor = circle },
		"an unknown actor":     func(r *otelaudit.Record) { r.Actor.Type = "robot" },
		"an unknown trust":     func(r *otelaudit.Record) { r.Actor.Trust = 3 },
		"an unknown outcome":   func(r *otelaudit.Record) { r.Outcome = "maybe" },
		"metadata out of turn": func(r *otelaudit.Record) { r.Metadata[0], r.Metadata[1] = r.Metadata[1], r.Metadata[0] },
		"metadata twice":       func(r *otelaudit.Record) { r.Metadata[1] = r.Metadata[0] },
		"changes twice":        func(r *otelaudit.Record) { r.Changes = append(r.Changes, r.Changes[0]) },
		"a key twice":          func(r *otelaudit.Record) { r.Metadata[0].Value = twice },
		"too deep":             func(r *otelaudit.Record) { r.Metadata[0].Value = deep },
	} {
		r := full()
		change(r)
		_, err := ParseCanonical(AppendCanonical(nil, r))
		require.ErrorIs(t, err, ErrFormat, name)
	}
}

package otelaudit_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// secret is in every text that no tag allows. It must never be in a record.
const secret = "canary"

// shape is a type with values of it: text that may be recorded says "open", all other text is secret.
type shape struct {
	typ  reflect.Type
	fill func(t *rapid.T, into reflect.Value)
}

// genShape makes a shape whose own text is open or secret.
func genShape(t *rapid.T, open bool, depth int) shape {
	kinds := []string{"text", "text", "bytes", "number"}
	if depth < 4 {
		kinds = append(kinds, "pointer", "list", "array", "map", "interface", "struct", "struct", "wrapper")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	text := func(t *rapid.T) string {
		word := secret
		if open {
			word = "open"
		}
		return word + fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "n"))
	}
	if kind == "struct" {
		return genStruct(t, open, depth+1)
	}
	if kind == "wrapper" {
		return genWrapper(t, open)
	}
	switch kind {
	case "text":
		return shape{reflect.TypeFor[string](), func(t *rapid.T, v reflect.Value) { v.SetString(text(t)) }}
	case "bytes":
		return shape{reflect.TypeFor[[]byte](), func(t *rapid.T, v reflect.Value) { v.SetBytes([]byte(text(t))) }}
	case "number":
		return shape{reflect.TypeFor[int](), func(t *rapid.T, v reflect.Value) { v.SetInt(rapid.Int64Range(0, 3).Draw(t, "int")) }}
	}
	inner := genShape(t, open, depth+1)
	switch kind {
	case "pointer":
		return shape{reflect.PointerTo(inner.typ), func(t *rapid.T, v reflect.Value) {
			if rapid.Bool().Draw(t, "there") {
				v.Set(reflect.New(inner.typ))
				inner.fill(t, v.Elem())
			}
		}}
	case "list":
		return shape{reflect.SliceOf(inner.typ), func(t *rapid.T, v reflect.Value) {
			n := rapid.IntRange(0, 3).Draw(t, "length")
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				inner.fill(t, v.Index(i))
			}
		}}
	case "array":
		return shape{reflect.ArrayOf(2, inner.typ), func(t *rapid.T, v reflect.Value) {
			inner.fill(t, v.Index(0))
			inner.fill(t, v.Index(1))
		}}
	case "map":
		key := shape{reflect.TypeFor[string](), func(t *rapid.T, v reflect.Value) { v.SetString(text(t)) }}
		if inner.typ.Comparable() && rapid.Bool().Draw(t, "key of its own") {
			key = inner
		}
		return shape{reflect.MapOf(key.typ, inner.typ), func(t *rapid.T, v reflect.Value) {
			v.Set(reflect.MakeMap(v.Type()))
			for range rapid.IntRange(0, 2).Draw(t, "length") {
				k, e := reflect.New(key.typ).Elem(), reflect.New(inner.typ).Elem()
				key.fill(t, k)
				inner.fill(t, e)
				if k.Comparable() { // what an interface holds may not be
					v.SetMapIndex(k, e)
				}
			}
		}}
	default:
		return shape{reflect.TypeFor[any](), func(t *rapid.T, v reflect.Value) {
			e := reflect.New(inner.typ).Elem()
			inner.fill(t, e)
			v.Set(e)
		}}
	}
}

// genStruct makes a struct within what is open or secret. Without an allowing tag, all within is secret.
func genStruct(t *rapid.T, open bool, depth int) shape {
	n := rapid.IntRange(1, 4).Draw(t, "fields")
	shapes, fields := make([]shape, n), make([]reflect.StructField, n)
	for i := range fields {
		tag := rapid.SampledFrom([]reflect.StructTag{`audit:"track"`, `audit:"track"`, `audit:"sensitive"`, `audit:""`, `audit:"tracked"`, ``, `json:"x"`}).Draw(t, "tag")
		shapes[i] = genShape(t, open && tag == `audit:"track"`, depth)
		fields[i] = reflect.StructField{Name: fmt.Sprint("F", i), Type: shapes[i].typ, Tag: tag}
	}
	return shape{reflect.StructOf(fields), func(t *rapid.T, v reflect.Value) {
		for i := range n {
			shapes[i].fill(t, v.Field(i))
		}
	}}
}

// Types with texts and columns of their own, which say all that is within.

type account struct {
	Name  string `audit:"track"`
	Pass  string `audit:"sensitive"`
	Token string
}

type (
	boxed     struct{ Account account }
	veiled    struct{ account *account }
	mixed     struct{ Any any }
	referring struct{ mixed *mixed }
	listed    []any
	mapped    map[string]any
	entitled  map[any]string
	stored    struct{ Theme, APIKey string }
	storedBox struct{ Account account }
	storedAny struct{ Any any }
	storedAll struct{ all []stored }
)

type (
	card       struct{ Number, CVC string }
	storedCard struct {
		Card  card
		Valid bool
	}
)

func (card) String() string                       { return "****" }
func (s storedCard) Value() (driver.Value, error) { return s.Card.Number + s.Card.CVC, nil }

func say(v any) string {
	b, err := json.Marshal(v)
	return fmt.Sprintf("%+v %s %v", v, b, err)
}

func (b boxed) String() string                   { return say(b.Account) }
func (v veiled) MarshalText() ([]byte, error)    { return []byte(say(v.account)), nil }
func (m *mixed) String() string                  { return say(m.Any) }
func (p referring) String() string               { return p.mixed.String() }
func (l listed) String() string                  { return say([]any(l)) }
func (m mapped) MarshalText() ([]byte, error)    { return []byte(say(map[string]any(m))), nil }
func (e entitled) String() string                { return fmt.Sprint(map[any]string(e)) }
func (s stored) Value() (driver.Value, error)    { return say(s), nil }
func (s storedBox) Value() (driver.Value, error) { return []byte(say(s.Account)), nil }
func (s storedAny) Value() (driver.Value, error) { return say(s.Any), nil }
func (s storedAll) Value() (driver.Value, error) { return say(s.all), nil }

// genWrapper makes one of them, around an account whose name is open or secret.
func genWrapper(t *rapid.T, open bool) shape {
	wrap := rapid.SampledFrom([]func(a account) any{
		func(a account) any { return boxed{a} },
		func(a account) any { return &boxed{a} },
		func(a account) any { return veiled{&a} },
		func(a account) any { return mixed{a} },
		func(a account) any { return mixed{[]any{1, &a}} },
		func(a account) any { return referring{&mixed{a}} },
		func(a account) any { return listed{"a", a} },
		func(a account) any { return listed{listed{mapped{"a": a}}} },
		func(a account) any { return mapped{"a": []*account{&a}} },
		func(a account) any { return entitled{a: "a"} },
		func(a account) any { return stored{"dark", a.Token} },
		func(a account) any { return storedBox{a} },
		func(a account) any { return storedCard{Card: card{a.Token, a.Token}, Valid: true} },
		func(a account) any { return storedAny{a} },
		func(a account) any { return storedAll{[]stored{{"dark", a.Token}}} },
		func(a account) any { return sql.Null[account]{V: a, Valid: true} },
		func(a account) any { return sql.Null[stored]{V: stored{"dark", a.Token}, Valid: true} },
		func(a account) any { return sql.Null[storedBox]{V: storedBox{a}, Valid: true} },
	}).Draw(t, "wrapper")
	return shape{reflect.TypeOf(wrap(account{})), func(t *rapid.T, v reflect.Value) {
		a := account{Name: secret, Pass: secret, Token: fmt.Sprint(secret, rapid.IntRange(0, 3).Draw(t, "token"))}
		if open {
			a.Name = fmt.Sprint("open", rapid.IntRange(0, 3).Draw(t, "name"))
		}
		v.Set(reflect.ValueOf(wrap(a)))
	}}
}

func TestDiffNeverLeaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := genStruct(t, true, 0)
		before, after := reflect.New(s.typ), reflect.New(s.typ)
		s.fill(t, before.Elem())
		s.fill(t, after.Elem())
		changes := otelaudit.Diff(before.Interface(), after.Interface())
		requireNoSecret(t, changes)
		requireNoSecret(t, otelaudit.Created(otelaudit.Target{Type: "t"}, after.Interface()).Changes)
		requireNoSecret(t, otelaudit.Deleted(otelaudit.Target{Type: "t"}, before.Interface()).Changes)
		require.Empty(t, otelaudit.Diff(after.Interface(), after.Interface()))

		// What is tracked and differs is a change.
		for i := range s.typ.NumField() {
			f := s.typ.Field(i)
			b, a := before.Elem().Field(i), after.Elem().Field(i)
			if _, tagged := f.Tag.Lookup("audit"); !tagged || reflect.DeepEqual(b.Interface(), a.Interface()) {
				continue
			}
			if f.Tag != `audit:"track"` || f.Type.Kind() == reflect.String {
				var found bool
				for _, ch := range changes {
					found = found || ch.Field == f.Name
				}
				require.True(t, found, "%s is no change", f.Name)
			}
		}
	})
}

// A list of fields undoes no tag, by whatever name and through whatever embedded struct.
func TestFieldsDiffNeverLeaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var leaves []leaf
		typ := genEmbedding(t, nil, "F", false, &leaves)
		value := reflect.New(typ)
		var fields otelaudit.Fields
		var times int
		for _, l := range leaves {
			hidden := l.hidden
			names := []string{l.name, "json" + l.name}
			for _, i := range slices.Compact(rapid.SliceOfN(rapid.IntRange(0, 1), 0, 2).Draw(t, "names")) {
				if rapid.Bool().Draw(t, "sensitive") {
					fields.Sensitive, hidden = append(fields.Sensitive, names[i]), true
				} else {
					fields.Track = append(fields.Track, names[i])
				}
				times++
			}
			if hidden {
				value.Elem().FieldByIndex(l.index).SetString(secret)
			} else {
				value.Elem().FieldByIndex(l.index).SetString("open")
			}
		}
		changes, err := fields.Diff(nil, value.Interface())
		requireNoSecret(t, changes)
		if err == nil {
			require.Len(t, changes, times)
		}
	})
}

type leaf struct {
	name   string
	index  []int
	hidden bool
}

// genEmbedding makes a struct of texts and embedded structs, and lists its texts.
func genEmbedding(t *rapid.T, index []int, prefix string, hidden bool, leaves *[]leaf) reflect.Type {
	fields := make([]reflect.StructField, rapid.IntRange(1, 3).Draw(t, "fields"))
	for i := range fields {
		tag := rapid.SampledFrom([]string{``, `audit:"track"`, `audit:"sensitive"`, `audit:"tracked"`}).Draw(t, "tag")
		at, name := append(slices.Clone(index), i), fmt.Sprint(prefix, i)
		hiddenToo := hidden || tag != `` && tag != `audit:"track"`
		f := reflect.StructField{Name: name, Tag: reflect.StructTag(fmt.Sprintf(`json:"json%s" %s`, name, tag)), Type: reflect.TypeFor[string]()}
		if len(index) < 3 && rapid.Bool().Draw(t, "embedded") {
			f.Anonymous, f.Type = true, genEmbedding(t, at, name, hiddenToo, leaves)
		} else {
			*leaves = append(*leaves, leaf{name, at, hiddenToo})
		}
		fields[i] = f
	}
	return reflect.StructOf(fields)
}

func requireNoSecret(t *rapid.T, changes otelaudit.Changes) {
	for _, ch := range changes {
		require.NotContains(t, ch.Field, secret)
		for _, v := range []attribute.Value{ch.Old, ch.New} {
			requireNoSecretIn(t, v)
		}
	}
}

func requireNoSecretIn(t *rapid.T, v attribute.Value) {
	require.NotContains(t, v.String(), secret)
	switch v.Type() {
	case attribute.BYTESLICE:
		require.NotContains(t, string(v.AsByteSlice()), secret)
	case attribute.SLICE:
		for _, e := range v.AsSlice() {
			requireNoSecretIn(t, e)
		}
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			require.NotContains(t, string(kv.Key), secret)
			requireNoSecretIn(t, kv.Value)
		}
	default: // its text says it all
	}
}

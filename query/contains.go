package query

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

// Postgres keeps metadata as jsonb in the form of attrjson, and asks with @> whether it contains what a filter wants. The same
// form decides here, so that both find the same: the tags of attrjson are part of what is compared.

// wanted is an entry of Filter.Metadata.
type wanted struct {
	key  string
	text []byte // the value's JSON
	tree any    // and what it says, as parse returns it
}

// want makes kv ready to be looked for. An error wraps [ErrInvalid].
func want(kv attribute.KeyValue) (wanted, error) {
	if kv.Key == "" {
		return wanted{}, invalid("Filter.Metadata has an empty key")
	}
	w := wanted{text: attrjson.Append(nil, kv.Value)}
	key, err := parse(attrjson.AppendString(nil, string(kv.Key)))
	if err == nil {
		w.tree, err = parse(w.text)
	}
	switch {
	case err != nil:
		return wanted{}, invalid("Filter.Metadata: the value of %.40q cannot be looked for: %v", string(kv.Key), err)
	case hasNUL(key) || hasNUL(w.tree):
		return wanted{}, invalid("Filter.Metadata: %.40q has a NUL byte, which no record has", string(kv.Key))
	}
	w.key, _ = key.(string)
	return w, nil
}

func (m *matcher) matchesMetadata(have []attribute.KeyValue) bool {
	for i := range m.contains {
		w := &m.contains[i]
		at := slices.IndexFunc(have, func(kv attribute.KeyValue) bool { return string(kv.Key) == w.key })
		if at < 0 || !w.isIn(have[at].Value) {
			return false
		}
	}
	return true
}

func (w *wanted) isIn(v attribute.Value) bool {
	text := attrjson.Append(nil, v)
	if bytes.Equal(text, w.text) {
		return true
	}
	have, err := parse(text)
	return err == nil && contains(have, w.tree)
}

// parse reads JSON and keeps the digits of its numbers.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// contains is jsonb's @>, but for its exception that an outermost array contains a scalar: what is compared here is the value
// of a key.
func contains(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		entries, ok := have.(map[string]any)
		for key, w := range want {
			if h, there := entries[key]; !there || !contains(h, w) {
				return false
			}
		}
		return ok
	case []any: // each element somewhere, whatever the order and however often
		elements, ok := have.([]any)
		return ok && !slices.ContainsFunc(want, func(w any) bool {
			return !slices.ContainsFunc(elements, func(h any) bool { return contains(h, w) })
		})
	case json.Number:
		number, ok := have.(json.Number)
		return ok && digits(number) == digits(want)
	default: // a string, a bool or null
		return have == want
	}
}

// digits is n without what tells a float from an integer: 1.0 is 1. attrjson writes neither exponents nor other zeros.
func digits(n json.Number) string { return strings.TrimSuffix(n.String(), ".0") }

func hasNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "\x00")
	case []any:
		return slices.ContainsFunc(v, hasNUL)
	case map[string]any:
		for key, e := range v {
			if hasNUL(key) || hasNUL(e) {
				return true
			}
		}
	}
	return false
}

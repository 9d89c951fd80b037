package otelaudit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
)

// plan is what the tags of a struct type allow, worked out once for each type.
type plan struct {
	fields []plannedField
}

type plannedField struct {
	name      string
	index     []int // for fieldByIndex: through embedded structs
	sensitive bool
}

const (
	tagName      = "audit"
	tagTrack     = "track"
	tagSensitive = "sensitive"
)

var plans sync.Map // reflect.Type → *plan

func planFor(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{}
	p.add(t, nil, map[reflect.Type]bool{})
	p.unshadow(t)
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// hasPlan reports whether t is a struct of which some fields are tagged.
func hasPlan(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && len(planFor(t).fields) > 0
}

// fieldsFor are the fields of a struct that count: the tagged ones, or, where none is and a list named the outer field, all
// that are exported.
func fieldsFor(t reflect.Type, whole bool) []plannedField {
	fields := planFor(t).fields
	if len(fields) == 0 && whole {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				fields = append(fields, plannedField{name: fieldName(f), index: []int{i}})
			}
		}
	}
	if len(fields) == 0 && t.NumField() > 0 {
		report(t, "is in a tracked field and has neither fields to record nor a text, so that nothing of it is recorded: tag its fields or, if there are no tags within, give it a String method")
	}
	return fields
}

// unshadow leaves, of several fields with one name, the outermost.
func (p *plan) unshadow(t reflect.Type) {
	first := map[string]int{}
	var kept []plannedField
	for _, f := range p.fields {
		at, twice := first[f.name]
		switch {
		case !twice:
			first[f.name] = len(kept)
			kept = append(kept, f)
			continue
		case len(f.index) < len(kept[at].index):
			kept[at] = f
		}
		report(t, fmt.Sprintf("has several tagged fields named %q, of which only the outermost is recorded", f.name))
	}
	p.fields = kept
}

func (p *plan) add(t reflect.Type, index []int, within map[reflect.Type]bool) {
	if within[t] {
		return // a struct that embeds a pointer to itself
	}
	within[t] = true
	defer delete(within, t)
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		tag, tagged := f.Tag.Lookup(tagName)
		if !tagged {
			if inner := embedded(f); inner != nil {
				p.add(inner, at, within)
			}
			continue
		}
		if !f.IsExported() {
			report(t, fmt.Sprintf("has the tag audit:%q on the unexported field %s, which cannot be recorded: export it or use otelaudit.Fields on a map", tag, f.Name))
			continue
		}
		if tag != tagTrack && tag != tagSensitive {
			report(t, fmt.Sprintf("has the unknown tag audit:%q on field %s, which counts as sensitive: use %q or %q", tag, f.Name, tagTrack, tagSensitive))
		}
		p.fields = append(p.fields, plannedField{name: fieldName(f), index: at, sensitive: tag != tagTrack})
	}
}

// embedded returns the struct type that f embeds, or nil. Its fields count as the outer struct's own, as in JSON.
func embedded(f reflect.StructField) reflect.Type {
	t := f.Type
	if !f.Anonymous {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// fieldName is the field's name in JSON, else in Go.
func fieldName(f reflect.StructField) string {
	if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
		return name
	}
	return f.Name
}

// fieldIndexes are all exported fields of t, by both their names; the one in JSON wins, and the
// outermost of several fields.
func fieldIndexes(t reflect.Type) map[string][]int {
	index := map[string][]int{}
	visible := reflect.VisibleFields(t)
	slices.SortStableFunc(visible, func(a, b reflect.StructField) int { return len(b.Index) - len(a.Index) })
	for _, f := range visible {
		if f.IsExported() {
			index[f.Name] = f.Index
		}
	}
	for _, f := range visible {
		if f.IsExported() {
			index[fieldName(f)] = f.Index
		}
	}
	return index
}

// tagsHide reports whether a tag holds back the field of t at index: its own, or that of an embedded struct on the way.
func tagsHide(t reflect.Type, index []int) bool {
	for i := range index {
		if tag, tagged := t.FieldByIndex(index[:i+1]).Tag.Lookup(tagName); tagged && tag != tagTrack {
			return true
		}
	}
	return false
}

// fieldByIndex is v.FieldByIndex, but for a nil embedded pointer it gives the invalid Value instead of a panic.
func fieldByIndex(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v = deref(v); !v.IsValid() {
			return v
		}
		v = v.Field(i)
	}
	return v
}

var reported sync.Map // message → struct{}

// report tells OpenTelemetry's error handler, once, about a type that Diff cannot treat as its author meant.
func report(t reflect.Type, problem string) {
	err := fmt.Errorf("otelaudit: Diff: %s %s", t, problem)
	if _, before := reported.LoadOrStore(err.Error(), struct{}{}); !before {
		otel.Handle(err)
	}
}

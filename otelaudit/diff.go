package otelaudit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Diff returns what changed from before to after, among the fields that their struct tags allow:
//
//	type Article struct {
//		Title string  `audit:"track"`                 // recorded with both values
//		Body  string  `audit:"sensitive"`             // recorded as changed; both values are [Redacted]
//		By    *Author `audit:"track" json:"author"`   // its own tagged fields, as "author.name" and so on
//		Token string                                  // untagged: never recorded
//	}
//
// A field is named as in JSON, else by its Go name. Fields of embedded structs count as the outer struct's own. Within
// slices and maps of structs only tagged fields are recorded, too. Values of type time.Time are compared as instants and
// recorded in RFC 3339, UTC; a type that is made of one, as by embedding it, has the text of its own methods. A nil pointer is
// no value. A tag that is neither "track" nor "sensitive" counts as sensitive,
// and is reported once to OpenTelemetry's error handler; so is a tag on an unexported field, which cannot be recorded.
//
// A type that has MarshalText or String is recorded as that text. A struct that has Value, as those of database/sql have, is
// recorded as what that gives: NULL, a bool, a number (also one in text) or a time from any struct, but a text or bytes only
// from one that holds a single value besides Valid, as sql.NullString does: from others it may be a document of untagged
// fields. Neither counts where a tagged field is anywhere within the value, exported or not, since it could show what the
// tags do not allow. Within the value, that is looked for in interfaces, too; functions, and pointers to what has interfaces
// or functions, count as tagged.
//
// T is a struct, a pointer to one, or an interface that holds the same type of either on both sides; of anything else, and
// of two different types, nothing is recorded but the report. Values nested deeper than [MaxDepth] are compared and not
// shown, and those that are too large for a record are shown in part.
//
// Diff is safe for concurrent use as long as nobody changes before and after.
func Diff[T any](before, after T) Changes {
	b, a := structOf(reflect.ValueOf(&before).Elem()), structOf(reflect.ValueOf(&after).Elem())
	switch {
	case !b.IsValid() && !a.IsValid():
		return nil
	case b.IsValid() && a.IsValid() && b.Type() != a.Type():
		report(b.Type(), fmt.Sprintf("cannot be compared with %s: give Diff two values of one type", a.Type()))
		return nil
	}
	return diff(b, a)
}

// Fields allows fields by name where there are no tags to do so: on structs of other packages and on maps.
//
//	changes, err := otelaudit.Fields{Track: []string{"title"}, Sensitive: []string{"ssn"}}.Diff(before, after)
type Fields struct {
	Track     []string // recorded with both values
	Sensitive []string // recorded as changed only
}

// Diff returns what changed from before to after among the fields of f. Both are structs of one type (or pointers to such),
// or maps with string keys; nil stands for a thing that was not there. Fields are named as in JSON, else by their Go names.
// It returns an error, which wraps [ErrInvalid], for a field that the struct does not have, for one listed twice, be it by
// two names or together with the embedded struct it is in, and for values of other kinds. A key that a map lacks has no
// value.
//
// A listed field is recorded whole: within it, tags are respected where a struct has any, and else nothing is held back. A
// field that is tagged as sensitive, or is in an embedded struct that is, stays so, also in Track.
func (f Fields) Diff(before, after any) (Changes, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	b, a := reflect.ValueOf(before), reflect.ValueOf(after)
	b, a = deref(b), deref(a)
	switch {
	case !b.IsValid() && !a.IsValid():
		return nil, nil
	case b.IsValid() && a.IsValid() && b.Type() != a.Type():
		return nil, invalid("Fields.Diff: before is %s, after is %s: give it two values of one type", b.Type(), a.Type())
	}
	known := b
	if !known.IsValid() {
		known = a
	}
	var get func(v reflect.Value, name string) reflect.Value
	isSensitive := func(string) bool { return false }
	switch {
	case known.Kind() == reflect.Struct:
		index, err := f.indexes(known.Type())
		if err != nil {
			return nil, err
		}
		get = func(v reflect.Value, name string) reflect.Value { return fieldByIndex(v, index[name]) }
		isSensitive = func(name string) bool { return tagsHide(known.Type(), index[name]) } // a list does not undo a tag
	case known.Kind() == reflect.Map && known.Type().Key().Kind() == reflect.String:
		keyType := known.Type().Key()
		get = func(v reflect.Value, name string) reflect.Value {
			return v.MapIndex(reflect.ValueOf(name).Convert(keyType))
		}
	default:
		return nil, invalid("Fields.Diff: %s is neither a struct nor a map with string keys", known.Type())
	}
	d := newDiffer(true)
	add := func(names []string, sensitive bool) {
		for _, name := range names {
			var old, now reflect.Value
			if b.IsValid() {
				old = get(b, name)
			}
			if a.IsValid() {
				now = get(a, name)
			}
			d.field(name, old, now, sensitive || isSensitive(name))
		}
	}
	add(f.Track, false)
	add(f.Sensitive, true)
	return d.sorted(), nil
}

func (f Fields) validate() error {
	if len(f.Track)+len(f.Sensitive) == 0 {
		return invalid("Fields.Diff: Track and Sensitive are both empty: name the fields to record")
	}
	seen := map[string]bool{}
	for _, name := range slices.Concat(f.Track, f.Sensitive) {
		switch {
		case name == "":
			return invalid("Fields.Diff: a field's name is empty")
		case seen[name]:
			return invalid("Fields.Diff: field %q is listed twice", name)
		}
		seen[name] = true
	}
	return nil
}

// indexes are the listed fields of t by their names. A field counts as one under both of its names, and as a part of the
// embedded struct that it is in.
func (f Fields) indexes(t reflect.Type) (map[string][]int, error) {
	index := fieldIndexes(t)
	names := slices.Concat(f.Track, f.Sensitive)
	for i, name := range names {
		at, ok := index[name]
		if !ok {
			return nil, invalid("Fields.Diff: %s has no exported field %q", t, name)
		}
		for _, other := range names[:i] {
			before := index[other]
			if n := min(len(at), len(before)); slices.Equal(at[:n], before[:n]) {
				return nil, invalid("Fields.Diff: field %q of %s is listed twice: also as %q", name, t, other)
			}
		}
	}
	return index, nil
}

// fieldsOf returns the tracked fields of v as changes from nothing (created) or to nothing.
func fieldsOf[T any](v T, created bool) Changes {
	s := structOf(reflect.ValueOf(&v).Elem())
	switch {
	case !s.IsValid():
		return nil
	case created:
		return diff(reflect.Value{}, s)
	default:
		return diff(s, reflect.Value{})
	}
}

// structOf follows pointers and interfaces; what is nil gives the invalid Value.
func structOf(v reflect.Value) reflect.Value {
	v = deref(v)
	if v.IsValid() && v.Kind() != reflect.Struct {
		report(v.Type(), "is no struct, so that nothing of it is recorded: use otelaudit.Fields for maps")
		return reflect.Value{}
	}
	return v
}

func deref(v reflect.Value) reflect.Value {
	for hops := 0; v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface); hops++ {
		if v.IsNil() || hops > MaxDepth {
			return reflect.Value{}
		}
		v = v.Elem()
	}
	return v
}

// differ collects the changes between two things.
type differ struct {
	changes    Changes
	comparison comparison
	within     []visit // the structs that are being compared, the outermost first
	structs    int     // how many were gone into
	left       int     // values that may still be shown
}

// The bounds of one Diff, for things that refer to each other over and over. A record holds less than either.
const (
	maxStructs = 1024
	maxValues  = MaxRecordBytes
)

func newDiffer(whole bool) *differ {
	return &differ{comparison: comparison{whole: whole}, left: maxValues}
}

// diff compares two structs of one type, either of which may be absent.
func diff(before, after reflect.Value) Changes {
	d := newDiffer(false)
	d.fields("", before, after)
	return d.sorted()
}

func (d *differ) sorted() Changes {
	slices.SortStableFunc(d.changes, func(a, b Change) int { return strings.Compare(a.Field, b.Field) })
	return d.changes
}

// fields adds the changes of a struct's tracked fields, their names behind prefix. It does not go into a struct again that
// lies within itself.
func (d *differ) fields(prefix string, before, after reflect.Value) {
	known := before
	if !known.IsValid() {
		known = after
	}
	here, certain := visitOf(known.Type(), before, after)
	if certain && slices.Contains(d.within, here) {
		return
	}
	d.within = append(d.within, here)
	d.structs++
	for _, f := range planFor(known.Type()).fields {
		var b, a reflect.Value
		if before.IsValid() {
			b = fieldByIndex(before, f.index)
		}
		if after.IsValid() {
			a = fieldByIndex(after, f.index)
		}
		name := prefix + f.name
		if !f.sensitive && len(d.within) < MaxDepth && d.structs < maxStructs {
			if bs, as := deref(b), deref(a); isPlanned(bs, as) {
				d.fields(name+".", bs, as)
				continue
			}
		}
		d.field(name, b, a, f.sensitive)
	}
	d.within = d.within[:len(d.within)-1]
}

// visitOf names two structs by their addresses, and reports whether they have some.
func visitOf(t reflect.Type, before, after reflect.Value) (v visit, certain bool) {
	v.typ, certain = t, true
	for _, side := range []struct {
		value   reflect.Value
		address *uintptr
	}{{before, &v.before}, {after, &v.after}} {
		switch {
		case !side.value.IsValid():
		case side.value.CanAddr():
			*side.address = side.value.UnsafeAddr()
		default:
			certain = false
		}
	}
	return v, certain
}

// isPlanned reports whether two fields are to be compared field by field: a struct with tags, of the same type if on both
// sides.
func isPlanned(b, a reflect.Value) bool {
	switch {
	case b.IsValid() && a.IsValid():
		return b.Type() == a.Type() && hasPlan(b.Type())
	case b.IsValid():
		return hasPlan(b.Type())
	case a.IsValid():
		return hasPlan(a.Type())
	}
	return false
}

// field adds the change of one field, if it is one. An absent side is an invalid Value.
func (d *differ) field(name string, b, a reflect.Value, sensitive bool) {
	if b.IsValid() && a.IsValid() {
		if sensitive && deepEqual(b, a) || !sensitive && d.comparison.equal(b, a, 1) {
			return
		}
		d.comparison.met = nil // some of them differ
	}
	ch := Change{Field: name, Old: d.side(b, sensitive), New: d.side(a, sensitive)}
	if ch.Old.Type() == attribute.EMPTY && ch.New.Type() == attribute.EMPTY || isNothing(b) && isNothing(a) {
		return // absent and nil are both no value
	}
	d.changes = append(d.changes, ch)
}

// side is what one side of a change shows.
func (d *differ) side(v reflect.Value, sensitive bool) attribute.Value {
	switch {
	case !v.IsValid():
		return attribute.Value{}
	case sensitive:
		return attribute.StringValue(Redacted)
	}
	// At most half of what is left, so that something is left for others.
	share := max(d.left/2, 64)
	p := projection{whole: d.comparison.whole, left: share}
	shown := p.value(v, 1)
	d.left -= share - max(p.left, 0)
	return shown
}

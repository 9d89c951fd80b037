package otelaudit

import (
	"reflect"
	"sync"
)

// reach is what can be reached from a value of some type, through all fields, elements and pointers.
type reach int

const (
	reachesPlain    reach = iota // neither of the following
	reachesAnything              // an interface or a function: it depends on the value
	reachesTags                  // a tagged field
)

var reaches sync.Map // reflect.Type → reach

func reachOf(t reflect.Type) reach {
	if isScalar(t.Kind()) {
		return reachesPlain
	}
	if r, ok := reaches.Load(t); ok {
		return r.(reach)
	}
	r := survey(t, map[reflect.Type]bool{})
	reaches.Store(t, r)
	return r
}

func survey(t reflect.Type, seen map[reflect.Type]bool) reach {
	if seen[t] {
		return reachesPlain // so far; the first visit tells
	}
	seen[t] = true
	r := reachesPlain
	switch t.Kind() {
	case reflect.Interface, reflect.Func, reflect.UnsafePointer:
		return reachesAnything
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		return survey(t.Elem(), seen)
	case reflect.Map:
		return max(survey(t.Key(), seen), survey(t.Elem(), seen))
	case reflect.Struct:
		for f := range t.Fields() {
			if _, tagged := f.Tag.Lookup(tagName); tagged {
				return reachesTags
			}
			r = max(r, survey(f.Type, seen))
		}
	}
	return r
}

// maxSearched is how many values a search for tagged fields looks at before it takes it that there are some.
const maxSearched = 4096

// holdsTags reports whether a tagged field may be reached from v. It looks into the interfaces of v and of its lists, maps and
// structs; those behind other pointers may be shared, and change, so that they count as tagged.
func holdsTags(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	left := maxSearched
	return searchTags(v, &left)
}

func searchTags(v reflect.Value, left *int) bool {
	if *left--; *left < 0 {
		return true
	}
	if !v.IsValid() {
		return false
	}
	if r := reachOf(v.Type()); r != reachesAnything {
		return r == reachesTags
	}
	switch v.Kind() {
	case reflect.Interface:
		return searchTags(v.Elem(), left)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if searchTags(v.Index(i), left) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if searchTags(it.Key(), left) || searchTags(it.Value(), left) {
				return true
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if searchTags(field, left) {
				return true
			}
		}
	default:
		return !v.IsZero()
	}
	return false
}

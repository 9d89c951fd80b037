package otelaudit

import (
	"math"
	"reflect"
	"time"
)

// comparison tells whether two values of one field are equal as far as it counts. It goes as deep as the values do: what a
// record does not show any more can still have changed.
type comparison struct {
	whole bool               // also fields of structs without tags, since a list named the outer field
	met   map[visit]struct{} // the references that are equal, unless a difference is still found: what contains itself has an end
}

// visit is two values that are compared with each other.
type visit struct {
	typ           reflect.Type
	before, after uintptr
	length        int
}

// maxNesting bounds the stack. What lies deeper counts as changed.
const maxNesting = 10_000

func (c *comparison) equal(b, a reflect.Value, depth int) bool {
	if !b.IsValid() || !a.IsValid() {
		return b.IsValid() == a.IsValid()
	}
	if b.Type() != a.Type() || depth > maxNesting {
		return false
	}
	if bt, ok := instant(b); ok {
		at, ok := instant(a)
		return ok && bt.Equal(at)
	}
	if !isScalar(b.Kind()) { // of those a text may hide a difference
		tb, hasB := textOf(b)
		if ta, hasA := textOf(a); hasB || hasA {
			return hasB && hasA && tb == ta
		}
	}
	switch b.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		if b.IsNil() || a.IsNil() {
			return b.IsNil() == a.IsNil()
		}
		if c.metBefore(b, a) {
			return true
		}
	}
	switch b.Kind() {
	case reflect.Pointer, reflect.Interface:
		return c.equal(b.Elem(), a.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if b.Len() != a.Len() {
			return false
		}
		for i := range b.Len() {
			if !c.equal(b.Index(i), a.Index(i), depth+1) {
				return false
			}
		}
		return true
	case reflect.Map:
		if b.Len() != a.Len() {
			return false
		}
		for it := b.MapRange(); it.Next(); {
			if other := a.MapIndex(it.Key()); !other.IsValid() || !c.equal(it.Value(), other, depth+1) {
				return false
			}
		}
		return true
	case reflect.Struct:
		bc, hasB := columnOf(b)
		if ac, hasA := columnOf(a); hasB || hasA {
			return hasB && hasA && c.equal(bc, ac, depth+1)
		}
		for _, f := range fieldsFor(b.Type(), c.whole) {
			bf, af := fieldByIndex(b, f.index), fieldByIndex(a, f.index)
			if f.sensitive && !deepEqual(bf, af) || !f.sensitive && !c.equal(bf, af, depth+1) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(b.Float()) == math.Float64bits(a.Float())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return true
	default:
		return b.Equal(a)
	}
}

// metBefore notes that two references are being compared, and reports whether they were met before.
func (c *comparison) metBefore(b, a reflect.Value) bool {
	kind := b.Kind()
	if kind == reflect.Interface || kind == reflect.Slice && isScalar(b.Type().Elem().Kind()) {
		return false
	}
	at := visit{typ: b.Type(), before: b.Pointer(), after: a.Pointer()}
	if kind == reflect.Slice {
		at.length = b.Len()
	}
	if _, met := c.met[at]; met {
		return true
	}
	if c.met == nil {
		c.met = map[visit]struct{}{}
	}
	c.met[at] = struct{}{}
	return false
}

func isScalar(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 || k == reflect.String
}

// deepEqual compares all of two values, for sensitive fields; times as instants, at the top.
func deepEqual(b, a reflect.Value) bool {
	if !b.IsValid() || !a.IsValid() {
		return b.IsValid() == a.IsValid()
	}
	if bv, av := deref(b), deref(a); bv.IsValid() && av.IsValid() {
		bt, isB := instant(bv)
		at, isA := instant(av)
		if isB && isA {
			return bt.Equal(at)
		}
	}
	return reflect.DeepEqual(b.Interface(), a.Interface())
}

// instant is the time that v is, or points to.
func instant(v reflect.Value) (t time.Time, ok bool) {
	if v.Kind() == reflect.Pointer && v.Type().Elem() == timeType && !v.IsNil() {
		v = v.Elem()
	}
	if v.Type() != timeType {
		return time.Time{}, false
	}
	return v.Interface().(time.Time), true
}

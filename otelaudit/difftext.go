package otelaudit

import (
	"database/sql/driver"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// textOf is the text of a value that has one of its own: a time, a type with MarshalText or String. What holds tagged fields
// has none, since the text could show others. A method that panics leaves the value without text.
func textOf(v reflect.Value) (text string, ok bool) {
	if !v.CanInterface() || isNil(v) || v.Kind() == reflect.Interface || !hasText(v.Type()) || holdsTags(v) {
		return "", false
	}
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	if t, ok := instant(v); ok {
		return t.UTC().Format(time.RFC3339Nano), true
	}
	for _, x := range candidates(v) {
		if m, ok := x.(encoding.TextMarshaler); ok {
			if b, err := m.MarshalText(); err == nil {
				return string(b), true
			}
		}
		if s, ok := x.(fmt.Stringer); ok {
			return s.String(), true
		}
	}
	return "", false
}

// candidates are v and, for methods on the pointer, a pointer to a copy of v.
func candidates(v reflect.Value) []any {
	direct := v.Interface()
	if v.Kind() == reflect.Pointer {
		return []any{direct}
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return []any{direct, p.Interface()}
}

var (
	marshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	stringerType  = reflect.TypeFor[fmt.Stringer]()
)

// hasText reports whether t, or a pointer to it, has a text of its own.
func hasText(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	return t.Implements(marshalerType) || t.Implements(stringerType)
}

// columnOf is what a struct like sql.NullString holds for a database column: of a type with the method Value, that value;
// invalid for NULL. A struct whose method fails or panics is not taken for one, nor is one that holds tagged fields or whose
// value is a text that may have been made of several.
func columnOf(v reflect.Value) (column reflect.Value, ok bool) {
	if !v.CanInterface() || hasPlan(v.Type()) {
		return reflect.Value{}, false
	}
	valuer, ok := reflect.TypeAssert[driver.Valuer](v)
	if !ok {
		return reflect.Value{}, false
	}
	defer func() {
		if recover() != nil {
			column, ok = reflect.Value{}, false
		}
	}()
	value, err := valuer.Value()
	if err != nil {
		return reflect.Value{}, false
	}
	column = reflect.ValueOf(value)
	if column.IsValid() && (holdsTags(v) || !isAtom(column) && !isSingle(v.Type(), 0)) {
		return reflect.Value{}, false
	}
	return column, true
}

// isAtom reports whether v cannot be a document: a bool, a number, a number in text, or a time.
func isAtom(v reflect.Value) bool {
	if v.Kind() == reflect.String {
		_, err := strconv.ParseFloat(v.String(), 64)
		return err == nil
	}
	return isScalar(v.Kind()) || v.Type() == timeType
}

// isSingle reports whether a value of type t is a single one: a time or not a struct of several fields besides Valid, nor a
// list of such.
func isSingle(t reflect.Type, hops int) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hops < MaxDepth && isSingle(t.Elem(), hops+1)
	case reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	case reflect.Struct:
		if t == timeType {
			return true
		}
		values := 0
		for f := range t.Fields() {
			if f.Name != "Valid" || f.Type.Kind() != reflect.Bool {
				if values++; values > 1 || !isSingle(f.Type, hops+1) {
					return false
				}
			}
		}
	}
	return true
}

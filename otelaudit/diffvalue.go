package otelaudit

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// projection is what a record shows of one field's value.
type projection struct {
	whole bool // also fields of structs without tags, since a list named the outer field
	left  int  // values that may still be shown
}

const (
	cutOff  = "***TOO DEEP***"  // what lies deeper than MaxDepth, as in a value that contains itself
	cutDown = "***TOO LARGE***" // what is left out of a value with more parts than a record holds
)

var (
	timeType = reflect.TypeFor[time.Time]()
	byteType = reflect.TypeFor[byte]()
)

// value is what a record shows of v. Structs within show their tagged fields only, sensitive ones redacted.
func (p *projection) value(v reflect.Value, depth int) attribute.Value {
	if depth > MaxDepth {
		return attribute.StringValue(cutOff)
	}
	if !v.IsValid() {
		return attribute.Value{}
	}
	if p.left--; p.left < 0 {
		return attribute.StringValue(cutDown)
	}
	if s, ok := textOf(v); ok {
		return attribute.StringValue(s)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return attribute.Value{}
		}
		return p.value(v.Elem(), depth+1)
	case reflect.Bool:
		return attribute.BoolValue(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return attribute.Int64Value(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := v.Uint(); u > math.MaxInt64 {
			return attribute.StringValue(strconv.FormatUint(u, 10))
		}
		return attribute.Int64Value(int64(v.Uint())) //nolint:gosec // checked above
	case reflect.Float32, reflect.Float64:
		return attribute.Float64Value(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return attribute.StringValue(strconv.FormatComplex(v.Complex(), 'g', -1, 128))
	case reflect.String:
		return attribute.StringValue(v.String())
	case reflect.Slice, reflect.Array:
		return p.list(v, depth)
	case reflect.Map:
		return p.dict(v, depth)
	case reflect.Struct:
		if column, ok := columnOf(v); ok {
			return p.value(column, depth+1)
		}
		return p.object(v, depth)
	default: // functions and channels have no value to record
		return attribute.StringValue("***" + v.Kind().String() + "***")
	}
}

func (p *projection) list(v reflect.Value, depth int) attribute.Value {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return attribute.Value{}
	}
	if v.Type().Elem() == byteType {
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return attribute.ByteSliceValue(b)
	}
	values := make([]attribute.Value, 0, min(v.Len(), max(p.left, 0)+1))
	for i := range v.Len() {
		if p.left <= 0 {
			values = append(values, attribute.StringValue(cutDown))
			break
		}
		values = append(values, p.value(v.Index(i), depth+1))
	}
	return attribute.SliceValue(values...)
}

func (p *projection) dict(v reflect.Value, depth int) attribute.Value {
	if v.IsNil() {
		return attribute.Value{}
	}
	kvs := make([]attribute.KeyValue, 0, min(v.Len(), max(p.left, 0)+1))
	for it := v.MapRange(); it.Next(); {
		if p.left < 2 { // a key and a value
			kvs = append(kvs, attribute.String(cutDown, cutDown))
			break
		}
		kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(p.key(it.Key(), depth+1)), Value: p.value(it.Value(), depth+1)})
	}
	return attribute.MapValue(kvs...)
}

func (p *projection) object(v reflect.Value, depth int) attribute.Value {
	var kvs []attribute.KeyValue
	for _, f := range fieldsFor(v.Type(), p.whole) {
		inner := fieldByIndex(v, f.index)
		if !inner.IsValid() {
			continue
		}
		value := attribute.StringValue(Redacted)
		if !f.sensitive {
			value = p.value(inner, depth+1)
		}
		kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(f.name), Value: value})
	}
	return attribute.MapValue(kvs...)
}

// isNothing reports whether v is absent or nil.
func isNothing(v reflect.Value) bool { return !v.IsValid() || isNil(v) }

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

// key is a map's key as text.
func (p *projection) key(k reflect.Value, depth int) string {
	if k.Kind() == reflect.String {
		if s, ok := textOf(k); ok {
			return s
		}
		return k.String()
	}
	return p.value(k, depth).String()
}

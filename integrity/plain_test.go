package integrity

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// plain is all of v, a record or a part of one, in a form in which require.Equal compares it to the bit, nil and empty
// slices as the same. It goes by reflection, so a new field is compared as well.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return fmt.Sprint(v.Unix(), v.Nanosecond(), v.Location())
	case attribute.Set:
		return plain(v.ToSlice())
	case attribute.Value:
		return plainValue(v)
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Struct:
		m := map[string]any{}
		for i := range rv.NumField() {
			m[rv.Type().Field(i).Name] = plain(rv.Field(i).Interface())
		}
		return m
	case reflect.Slice:
		list := []any{}
		for i := range rv.Len() {
			list = append(list, plain(rv.Index(i).Interface()))
		}
		return list
	case reflect.Pointer, reflect.Func:
		if rv.IsNil() {
			return nil
		}
		return plain(rv.Elem().Interface())
	default:
		return v
	}
}

func plainValue(v attribute.Value) any {
	switch v.Type() {
	case attribute.FLOAT64:
		return plainFloat(v.AsFloat64())
	case attribute.FLOAT64SLICE:
		list := []string{}
		for _, f := range v.AsFloat64Slice() {
			list = append(list, plainFloat(f))
		}
		return list
	case attribute.SLICE:
		return []any{"slice", plain(v.AsSlice())}
	case attribute.MAP:
		return []any{"map", plain(v.AsMap())}
	default:
		return v
	}
}

func plainFloat(f float64) string { return fmt.Sprintf("float %016x", math.Float64bits(f)) }

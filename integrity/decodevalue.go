package integrity

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// attributesInto appends the attributes that follow to kvs: their keys ascend.
func (d *Decoder) attributesInto(kvs *[]attribute.KeyValue, in *reader, depth int) {
	n, last := in.count(2), ""
	*kvs = slices.Grow(*kvs, n)
	for i := range n {
		at := in.at
		key := in.string()
		if i > 0 && key <= last {
			in.fail(at, "key %.40q is not behind %.40q", key, last)
		}
		v := d.value(in, depth) // before append looks at *kvs: a map grows the same one
		if in.err != nil {
			return
		}
		*kvs = append(*kvs, attribute.KeyValue{Key: attribute.Key(key), Value: v})
		last = key
	}
}

// value reads a value within depth lists and maps.
func (d *Decoder) value(in *reader, depth int) attribute.Value {
	at := in.at
	typ := in.byte()
	if (typ == typeSlice || typ == typeMap) && depth == maxDepth {
		in.fail(at, "values are nested more than %d deep", maxDepth)
	}
	if in.err != nil {
		return attribute.Value{}
	}
	switch typ {
	case typeEmpty:
		return attribute.Value{}
	case typeBool:
		return attribute.BoolValue(in.bool())
	case typeInt64:
		return attribute.Int64Value(in.int64())
	case typeFloat64:
		return attribute.Float64Value(in.float64())
	case typeString:
		return attribute.StringValue(in.string())
	case typeBytes:
		return attribute.ByteSliceValue([]byte(in.string()))
	case typeBools:
		return attribute.BoolSliceValue(list(in, 1, (*reader).bool))
	case typeInt64s:
		return attribute.Int64SliceValue(list(in, 8, (*reader).int64))
	case typeFloat64s:
		return attribute.Float64SliceValue(list(in, 8, (*reader).float64))
	case typeStrings:
		return attribute.StringSliceValue(list(in, 1, (*reader).string))
	case typeSlice:
		return d.slice(in, depth+1)
	case typeMap:
		return d.mapping(in, depth+1)
	}
	in.fail(at, "type %d is not known", typ)
	return attribute.Value{}
}

func list[T any](in *reader, size int, item func(*reader) T) []T {
	items := make([]T, in.count(size))
	for i := range items {
		items[i] = item(in)
	}
	return items
}

// slice puts its values on top of d.values, where those of the slices around it lie, and takes them away again.
func (d *Decoder) slice(in *reader, depth int) attribute.Value {
	base, n := len(d.values), in.count(1)
	d.values = slices.Grow(d.values, n)
	for range n {
		v := d.value(in, depth)
		if in.err != nil {
			break
		}
		d.values = append(d.values, v)
	}
	var v attribute.Value
	if in.err == nil {
		v = attribute.SliceValue(d.values[base:]...)
	}
	clear(d.values[base:])
	d.values = d.values[:base]
	return v
}

// mapping does the same with d.attributes.
func (d *Decoder) mapping(in *reader, depth int) attribute.Value {
	base := len(d.attributes)
	d.attributesInto(&d.attributes, in, depth)
	var v attribute.Value
	if in.err == nil {
		v = attribute.MapValue(d.attributes[base:]...)
	}
	clear(d.attributes[base:])
	d.attributes = d.attributes[:base]
	return v
}

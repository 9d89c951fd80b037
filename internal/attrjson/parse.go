package attrjson

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// MaxDepth is how many levels of slices and maps [Parse] reads.
const MaxDepth = 64

// Parse reads what [Append] writes, also after Postgres has reformatted it as jsonb. JSON of other origin is read by the same
// rules; an integer beyond 64 bits becomes FLOAT64, and of a key that is there twice the last counts.
//
// An error means that data is not one JSON value, nests deeper than [MaxDepth], holds a number beyond float64, or an object
// that looks like a tagged form and is none.
func Parse(data []byte) (attribute.Value, error) {
	if err := valid(data); err != nil {
		return attribute.Value{}, err
	}
	p := parser{data: data}
	return p.value(0)
}

// ParseObject reads what [AppendObject] writes. It returns the attributes sorted by key, nil for none.
func ParseObject(data []byte) ([]attribute.KeyValue, error) {
	if err := valid(data); err != nil {
		return nil, err
	}
	p := parser{data: data}
	if p.next() != '{' {
		return nil, errors.New("attrjson: not a JSON object")
	}
	return p.object(0)
}

func valid(data []byte) error {
	if json.Valid(data) {
		return nil
	}
	// Again, for an error that says what is wrong and where.
	err := json.Unmarshal(data, new(json.RawMessage))
	return fmt.Errorf("attrjson: %w", err)
}

// parser walks over data, which is known to be valid JSON: it needs to look only for what it wants to know.
type parser struct {
	data []byte
	pos  int
}

// next skips white space and returns the byte behind it.
func (p *parser) next() byte {
	for {
		switch c := p.data[p.pos]; c {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return c
		}
	}
}

// value reads one value; depth is the number of slices and maps around it.
func (p *parser) value(depth int) (attribute.Value, error) {
	switch p.next() {
	case 'n':
		p.literal()
		return attribute.Value{}, nil
	case 't':
		p.literal()
		return attribute.BoolValue(true), nil
	case 'f':
		p.literal()
		return attribute.BoolValue(false), nil
	case '"':
		return attribute.StringValue(p.text()), nil
	case '[':
		elems, err := p.array(depth)
		if err != nil {
			return attribute.Value{}, err
		}
		return natural(elems), nil
	case '{':
		if p.isTagged() {
			return p.tagged(depth)
		}
		return p.mapValue(depth)
	default:
		return number(p.literal())
	}
}

// literal reads a number, true, false or null.
func (p *parser) literal() string {
	start := p.pos
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return string(p.data[start:p.pos])
		}
		p.pos++
	}
	return string(p.data[start:])
}

func number(literal string) (attribute.Value, error) {
	if !strings.ContainsAny(literal, ".eE") {
		if i, err := strconv.ParseInt(literal, 10, 64); err == nil {
			return attribute.Int64Value(i), nil
		}
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return attribute.Value{}, fmt.Errorf("attrjson: the number %.40s is beyond float64", literal)
	}
	return attribute.Float64Value(f), nil
}

// text reads a string.
func (p *parser) text() string {
	start := p.pos
	p.skipText()
	quoted := p.data[start:p.pos]
	plain := quoted[1 : len(quoted)-1]
	if slices.Contains(plain, '\\') || !utf8.Valid(plain) {
		var s string
		if err := json.Unmarshal(quoted, &s); err == nil { // always: data is valid
			return s
		}
	}
	return string(plain)
}

func (p *parser) skipText() {
	for p.pos++; p.data[p.pos] != '"'; p.pos++ {
		if p.data[p.pos] == '\\' {
			p.pos++
		}
	}
	p.pos++
}

// skip passes over one value, however deep it is.
func (p *parser) skip() {
	for depth := 0; ; {
		switch p.next() {
		case '"':
			p.skipText()
		case '{', '[':
			depth++
			p.pos++
		case '}', ']':
			depth--
			p.pos++
		case ',', ':':
			p.pos++
		default:
			p.literal()
		}
		if depth == 0 {
			return
		}
	}
}

var errTooDeep = fmt.Errorf("attrjson: slices and maps nest deeper than %d", MaxDepth)

func (p *parser) array(depth int) ([]attribute.Value, error) {
	if depth >= MaxDepth {
		return nil, errTooDeep
	}
	p.pos++
	var elems []attribute.Value
	for p.next() != ']' {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		elems = append(elems, v)
		if p.next() == ',' {
			p.pos++
		}
	}
	p.pos++
	return elems, nil
}

func (p *parser) mapValue(depth int) (attribute.Value, error) {
	if depth >= MaxDepth {
		return attribute.Value{}, errTooDeep
	}
	kvs, err := p.object(depth + 1)
	if err != nil {
		return attribute.Value{}, err
	}
	return attribute.MapValue(kvs...), nil
}

// object reads the entries of an object that is no tagged form, sorted by key; depth is that of their values.
func (p *parser) object(depth int) ([]attribute.KeyValue, error) {
	p.pos++
	var kvs []attribute.KeyValue
	for p.next() != '}' {
		key := p.text()
		p.next()
		p.pos++
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		kvs = append(kvs, attribute.KeyValue{Key: attribute.Key(key), Value: v})
		if p.next() == ',' {
			p.pos++
		}
	}
	p.pos++
	slices.SortStableFunc(kvs, func(a, b attribute.KeyValue) int {
		return strings.Compare(string(a.Key), string(b.Key))
	})
	return lastOfEach(kvs), nil
}

// natural is the value of an array without a tag.
func natural(elems []attribute.Value) attribute.Value {
	switch elementType(elems) {
	case attribute.BOOL:
		return attribute.BoolSliceValue(each(elems, attribute.Value.AsBool))
	case attribute.INT64:
		return attribute.Int64SliceValue(each(elems, attribute.Value.AsInt64))
	case attribute.FLOAT64:
		return attribute.Float64SliceValue(each(elems, attribute.Value.AsFloat64))
	case attribute.STRING:
		return attribute.StringSliceValue(each(elems, attribute.Value.AsString))
	default:
		return attribute.SliceValue(elems...)
	}
}

func each[T any](elems []attribute.Value, as func(attribute.Value) T) []T {
	typed := make([]T, len(elems))
	for i, e := range elems {
		typed[i] = as(e)
	}
	return typed
}

// isTagged reports whether the object at hand has exactly one entry, and the entry's key begins with "$". It does not move.
func (p *parser) isTagged() bool {
	ahead := *p
	ahead.pos++
	if ahead.next() != '"' {
		return false
	}
	if c := p.data[ahead.pos+1]; c != tagPrefix[0] && c != '\\' { // most maps: without making a string
		return false
	}
	if !strings.HasPrefix(ahead.text(), tagPrefix) {
		return false
	}
	ahead.next()
	ahead.pos++
	ahead.skip()
	return ahead.next() == '}'
}

// tagged reads an object of which isTagged is true.
func (p *parser) tagged(depth int) (attribute.Value, error) {
	p.pos++
	p.next()
	tag := p.text()
	p.next()
	p.pos++
	first := p.next()
	v, err := p.untag(tag, first, depth)
	if err != nil {
		return attribute.Value{}, err
	}
	p.next()
	p.pos++
	return v, nil
}

// untag reads what stands behind tag; first is the first byte of it.
func (p *parser) untag(tag string, first byte, depth int) (attribute.Value, error) {
	switch {
	case tag == tagBytes && first == '"':
		b, err := base64.StdEncoding.DecodeString(p.text())
		if err != nil {
			return attribute.Value{}, fmt.Errorf("attrjson: %s: %w", tagBytes, err)
		}
		return attribute.ByteSliceValue(b), nil
	case tag == tagFloat && first == '"':
		return parseOddFloat(p.text())
	case tag == tagMap && first == '{':
		return p.mapValue(depth)
	case first == '[':
		elems, err := p.array(depth)
		if err != nil {
			return attribute.Value{}, err
		}
		switch {
		case tag == tagSlice:
			return attribute.SliceValue(elems...), nil
		case len(elems) > 0: // would be natural
		case tag == tagBools:
			return attribute.BoolSliceValue(nil), nil
		case tag == tagInts:
			return attribute.Int64SliceValue(nil), nil
		case tag == tagFloats:
			return attribute.Float64SliceValue(nil), nil
		case tag == tagStrings:
			return attribute.StringSliceValue(nil), nil
		}
	}
	return attribute.Value{}, fmt.Errorf("attrjson: {%.40q: …} is no tagged form", tag)
}

func parseOddFloat(name string) (attribute.Value, error) {
	switch name {
	case negativeZero:
		return attribute.Float64Value(math.Copysign(0, -1)), nil
	case infinity:
		return attribute.Float64Value(math.Inf(1)), nil
	case negativeInfinity:
		return attribute.Float64Value(math.Inf(-1)), nil
	case nan:
		return attribute.Float64Value(math.NaN()), nil
	}
	if digits, ok := strings.CutPrefix(name, nanBits); ok {
		bits, err := strconv.ParseUint(digits, 16, 64)
		if f := math.Float64frombits(bits); err == nil && math.IsNaN(f) {
			return attribute.Float64Value(f), nil
		}
	}
	return attribute.Value{}, fmt.Errorf("attrjson: %s: %.40q is no float", tagFloat, name)
}

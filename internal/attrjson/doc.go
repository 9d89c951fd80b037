// Package attrjson writes OpenTelemetry attribute values as JSON that is natural to query, and reads back exactly the value
// that was written: 1 stays an integer and 1.0 a float, also after Postgres has stored the text as jsonb.
//
// The natural forms:
//
//	EMPTY                                   null
//	BOOL                                    true
//	INT64                                   42
//	FLOAT64                                 42.0, always with a fraction and never with an exponent
//	STRING                                  "x"
//	BOOLSLICE INT64SLICE FLOAT64SLICE
//	STRINGSLICE, not empty                  ["x","y"]
//	SLICE, empty or of mixed elements       [1,"x"]
//	MAP                                     {"k":"v"}
//
// What these would not bring back is tagged, as an object with one key:
//
//	BYTESLICE                               {"$bytes":"base64"}
//	FLOAT64 −0, NaN and the infinities      {"$float":"-0"}
//	typed slices, empty                     {"$bools":[]} {"$ints":[]} {"$floats":[]} {"$strings":[]}
//	SLICE of one primitive type only        {"$slice":["x","y"]}
//	MAP whose only key begins with "$"      {"$map":{"$k":"v"}}
//
// So an array that is not empty, and whose elements are all BOOL, all INT64, all FLOAT64 or all STRING, is the typed slice;
// every other array is a SLICE.
//
// A float is written in digits because jsonb keeps numbers as numeric: it keeps the zeros of a fraction, but rewrites 1e300
// without one and drops the sign of zero. jsonb refuses U+0000 in strings, which otelaudit's records do not contain.
package attrjson

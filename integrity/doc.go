// Package integrity gives a record its canonical form: the bytes that a journal keeps, that sinks are delivered from, and that
// hashes and signatures will be made of.
//
// One record has one form. [AppendCanonical] writes it, [Decoder] reads it back without loss, and accepts nothing else:
//
//	data := integrity.AppendCanonical(nil, r)
//	var d integrity.Decoder
//	err := d.Decode(data, &again) // again is r, to the bit
//
// Whatever Decode accepts, AppendCanonical writes again byte for byte. docs/record-format.md describes the bytes, for decoders
// in other languages.
//
// # What comes back
//
// Every field of [otelaudit.Record], attribute values with their types, floats to the bit. Nil and empty slices are the same, as
// they are to Record itself: of no entries, Roles comes back nil, Related, Changes, Metadata and Sanitized as short as [otelaudit.Record.Reset]
// leaves them (nil in a new record), and Resource as the zero [attribute.Set].
//
// Records are written as they are. Those that a [otelaudit.Recorder] or [otelaudit.ParseRecord] made keep the rules that the form has: times
// in whole microseconds, metadata and changes sorted and unique, also within maps, known types of actors and outcomes.
// What breaks them otherwise, Decode refuses. Strings are bytes here: records hold valid UTF-8, which is
// neither checked nor altered.
//
// The package does no I/O and keeps nothing.
package integrity

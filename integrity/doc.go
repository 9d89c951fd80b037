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
// Every field of [otelaudit.Record] does, attribute values with their types, floats to the bit. Nil and empty slices have one
// form, as they are the same to Record itself: a list of no entries comes back nil where the record is new, or as short as
// [otelaudit.Record.Reset] leaves it; an empty resource as the zero [attribute.Set].
//
// Records are written as they are. Those of a [otelaudit.Recorder] and of [otelaudit.ParseRecord] keep the rules that the form
// has: metadata, changes and maps are sorted and have each key once, the types of actors and outcomes are known, nesting and
// chains are short. A record made otherwise that breaks one is written so that Decode refuses it. Its times are cut to
// microseconds and come back in UTC. Strings are bytes: records hold valid UTF-8, which is neither checked nor altered here.
package integrity

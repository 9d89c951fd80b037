package otelaudit

// What a record holds at the most. What is longer is cut and flagged in otelaudit.sanitized with its original length and
// SHA-256, never refused: a client must not be able to stop its own audit record by sending too much.
//
// Lengths are bytes of UTF-8. They are such that values which are indexed together fit a B-tree page of Postgres
// (2,704 bytes for an index row).
const (
	MaxActionBytes    = 255       // an action, and a target's type
	MaxIDBytes        = 1024      // ids of actors, targets, tenants, operations, requests; a longer one becomes a prefix, '#' and its SHA-256 in hex
	MaxNameBytes      = 1024      // names, roles, authentication methods, error types
	MaxReasonBytes    = 16 << 10  // a reason
	MaxMethodBytes    = 255       // an HTTP method, an address
	MaxPathBytes      = 2048      // a path, a route, an RPC method
	MaxUserAgentBytes = 1024      // a user agent
	MaxKeyBytes       = 255       // a key of metadata or of a map in it, a field of a change
	MaxValueBytes     = 16 << 10  // a string or bytes within metadata or a change
	MaxDepth          = 8         // levels of slices and maps within one value
	MaxMetadata       = 128       // metadata attributes
	MaxChanges        = 256       // changed fields
	MaxRelated        = 64        // related targets
	MaxRoles          = 64        // roles of an actor
	MaxChain          = 8         // actors behind the actor, on whose behalf it acts
	MaxFlags          = 64        // entries of otelaudit.sanitized; the last one then says how many there would have been
	MaxRecordBytes    = 256 << 10 // everything above together; the largest values of metadata and changes go first, and roles beyond 32 KiB
	MaxBatch          = 4096      // activities of one TrackAll
)

// Package query reads stored records: a [Filter] says which, a [Reader] gives them newest first, a [Page] at a time.
//
// What stores the records implements Reader; package exporter/postgres does. For records that can only be read from one end to
// the other there is [Scan], which gives the same pages as SQL does. [ForTenant] makes of any Reader one that shows a
// single tenant's records and nothing else, for pages that customers see.
package query

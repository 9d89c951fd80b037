package otelaudit

import "go.opentelemetry.io/otel/attribute"

// StorableResource is the resource as a record holds it: text cleaned and within its limits. A trail's resource is made
// storable once, when it opens.
func StorableResource(resource attribute.Set) attribute.Set {
	r := Record{Resource: resource}
	c := cleaner{&r}
	c.resource()
	return r.Resource
}

// StorableID is an id of an actor, a target, a tenant or an operation as a record holds it, for who looks records up by the
// id that was tracked.
func StorableID(id string) string {
	var r Record
	c := cleaner{&r}
	c.id("", &id)
	return id
}

// StorableType is an action or a target's type as a record holds it; see [StorableID].
func StorableType(name string) string {
	var r Record
	c := cleaner{&r}
	c.line("", &name, MaxActionBytes)
	return name
}

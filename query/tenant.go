package query

import "context"

// ForTenant returns a Reader that gives tenant's records only, for pages that customers see: a filter cannot widen it, and a
// cursor from elsewhere cannot either. A filter that names another tenant, and an empty tenant here, are refused with
// [ErrInvalid] at the query.
func ForTenant(r Reader, tenant string) Reader {
	return tenantReader{r, tenant}
}

type tenantReader struct {
	reader Reader
	tenant string
}

func (t tenantReader) Query(ctx context.Context, f Filter, p PageRequest) (Page, error) {
	switch {
	case t.tenant == "":
		return Page{}, invalid("ForTenant was given no tenant, which would show everybody's records")
	case f.Tenant != "" && f.Tenant != t.tenant:
		return Page{}, invalid("Filter.Tenant %.40q is not the tenant of this reader", f.Tenant)
	}
	f.Tenant = t.tenant
	return t.reader.Query(ctx, f, p)
}

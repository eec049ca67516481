package contract

import (
	"context"
	"errors"
)

// ErrTenantRemoved is the cause of a Problem about a write to the open memory of a tenant that
// was removed meanwhile. What opens one of its name makes it anew.
var ErrTenantRemoved = errors.New("the tenant was removed")

// Tenanted keeps several memories in one place: one for each name in Config.Tenant, and
// one without. A memory sees nothing of another. No capability is declared by it; a backend
// without it has a folder for each.
type Tenanted interface {
	// Tenants returns the names of those that there are, sorted.
	Tenants(ctx context.Context) ([]string, error)
	// AddTenant makes an empty memory, and reports false if there is one of this name. Open
	// does so too.
	AddTenant(ctx context.Context, name string) (bool, error)
	// RemoveTenant removes everything of a tenant, in one step, and counts the rows; there
	// is no receipt by documents. It reports false if there is none of this name. A memory of
	// it that is open refuses further writes.
	RemoveTenant(ctx context.Context, name string) (rows int64, found bool, err error)
	// Removed reports whether this memory has noticed that its tenant was removed, as its
	// next write does at the latest.
	Removed() bool
}

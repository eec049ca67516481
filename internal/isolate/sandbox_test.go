package isolate_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/research-mcp/research-mcp/internal/isolate"
)

// Whatever a restriction that is reported covers is tried, and must be refused.
func TestSandboxHolds(t *testing.T) {
	t.Parallel()
	p := newPool(t, isolate.Options{})
	held, err := p.Sandbox(bound(t))
	if err != nil {
		t.Fatalf("Sandbox = %v", err)
	}
	t.Logf("restrictions that hold on this machine: %s", strings.Join(held, ", "))
	if !slices.IsSorted(held) || held == nil {
		t.Errorf("Sandbox = %q, want it sorted and not nil", held)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	calls := make(chan net.Conn, 8)
	go func() {
		defer close(calls)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			calls <- conn
		}
	}()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := p.Run(bound(t), "escape", []string{l.Addr().String(), secret, filepath.Dir(secret)}, &got); err != nil {
		t.Fatalf("Run(escape) = %v", err)
	}
	for deed, restrictions := range deeds() {
		covered := slices.ContainsFunc(restrictions, func(r string) bool { return slices.Contains(held, r) })
		said, tried := got[deed]
		switch {
		case !tried:
			t.Errorf("%s was not tried", deed)
		case covered && said == "":
			t.Errorf("%s works although %q hold", deed, held)
		case !covered:
			t.Logf("not restricted on this machine: %s (%q)", deed, said)
		}
	}
	_ = l.Close()
	n := 0
	for conn := range calls {
		_ = conn.Close()
		n++
	}
	if n > 0 && slices.Contains(held, isolate.SandboxSeccomp) {
		t.Errorf("the listener saw %d connections, want none", n)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(secret), "made")); err == nil && slices.Contains(held, isolate.SandboxLandlock) {
		t.Error("the child made a file")
	}
	if _, err := os.Stat(secret); err != nil && slices.Contains(held, isolate.SandboxLandlock) {
		t.Errorf("the child took a file away: %v", err)
	}
}

func TestNoSandboxLeavesThem(t *testing.T) {
	t.Parallel()
	p := newOpenPool(t, isolate.Options{})
	held, err := p.Sandbox(bound(t))
	if diff := cmp.Diff([]string{}, held); diff != "" || err != nil {
		t.Errorf("Sandbox = %v (-want +got):\n%s", err, diff)
	}
}

// deeds are what escape tries, and the restrictions against each, of which one is
// enough.
func deeds() map[string][]string {
	all := map[string][]string{
		"dialling":        {isolate.SandboxSeccomp, isolate.SandboxLandlockNet},
		"UDP":             {isolate.SandboxSeccomp},
		"listening":       {isolate.SandboxSeccomp, isolate.SandboxLandlockNet},
		"reading a file":  {isolate.SandboxSeccomp, isolate.SandboxLandlock},
		"the passwords":   {isolate.SandboxSeccomp, isolate.SandboxLandlock},
		"making a file":   {isolate.SandboxSeccomp, isolate.SandboxLandlock},
		"removing a file": {isolate.SandboxSeccomp, isolate.SandboxLandlock},
		"listing":         {isolate.SandboxSeccomp, isolate.SandboxLandlock},
		"a program":       {isolate.SandboxSeccomp, isolate.SandboxLandlock},
	}
	for deed, restrictions := range linuxDeeds() {
		all[deed] = restrictions
	}
	return all
}

// escape takes an address, a file and a folder, and returns the error of each
// deed, or "".
func escape(ctx context.Context, in []string) (map[string]string, error) {
	said := map[string]string{}
	try := func(deed string, err error) {
		said[deed] = ""
		if err != nil {
			said[deed] = err.Error()
		}
	}
	var d net.Dialer
	_, err := d.DialContext(ctx, "tcp", in[0])
	try("dialling", err)
	_, err = d.DialContext(ctx, "udp", in[0])
	try("UDP", err)
	_, err = net.Listen("tcp", "127.0.0.1:0")
	try("listening", err)
	_, err = os.ReadFile(in[1])
	try("reading a file", err)
	_, err = os.ReadFile("/etc/passwd")
	try("the passwords", err)
	try("making a file", os.WriteFile(filepath.Join(in[2], "made"), nil, 0o600))
	_, err = os.ReadDir(in[2])
	try("listing", err)
	try("removing a file", os.Remove(in[1]))
	_, err = os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	try("a program", err)
	tryLinux(try)
	return said, nil
}

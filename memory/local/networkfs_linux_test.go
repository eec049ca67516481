package local

import "testing"

func TestNetworkFS(t *testing.T) {
	t.Parallel()
	for magic, want := range map[uint32]string{0x6969: "NFS", 0xFF534D42: "CIFS", 0x01021997: "9P", 0xEF53: "", 0x01021994: "", 0x9123683E: ""} {
		if got, bad := networkFS(magic); got != want || bad != (want != "") {
			t.Errorf("networkFS(%#x) = %q, %v, want %q", magic, got, bad, want)
		}
	}
	if name, bad := onNetwork(t.TempDir()); bad {
		t.Errorf("onNetwork(a local folder) = %q", name)
	}
}

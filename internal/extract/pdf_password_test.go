package extract

import (
	"crypto/md5"
	"crypto/rc4"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// padded is a password as PDF fills it up to 32 bytes.
func padded(password string) []byte {
	const padding = "\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"
	return []byte((password + padding)[:32])
}

func rc4Of(t *testing.T, key, in []byte) []byte {
	t.Helper()
	c, err := rc4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(in))
	c.XORKeyStream(out, in)
	return out
}

// lockedPDF is a page that is encrypted with 40 bits (revision 2). direct puts the
// encryption dictionary into the trailer.
func lockedPDF(t *testing.T, user, owner, content string, direct bool) []byte {
	t.Helper()
	const permissions = -64 // nothing is allowed but to view it
	ownerKey := md5.Sum(padded(owner))
	o := rc4Of(t, ownerKey[:5], padded(user))
	p := int32(permissions)
	sum := md5.Sum(append(append(padded(user), o...), byte(p), byte(p>>8), byte(p>>16), byte(p>>24), 'A'))
	key := sum[:5]
	u := rc4Of(t, key, padded(""))
	const number = 5
	object := md5.Sum(append(append([]byte{}, key...), number, 0, 0, 0, 0))
	locked := rc4Of(t, object[:10], []byte(content))
	dict := fmt.Sprintf("<< /Filter /Standard /V 1 /R 2 /Length 40 /P %d /O <%x> /U <%x> >>", permissions, o, u)
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>", stream(string(locked)),
	}
	trailer := "/ID [<41> <41>] /Encrypt "
	if direct {
		return pdfOf("1.4", trailer+dict, objects...)
	}
	return pdfOf("1.4", trailer+"6 0 R", append(objects, dict)...)
}

// A PDF whose owner has a password opens without one, wherever its encryption dictionary is.
func TestPDFWithOwnerPassword(t *testing.T) {
	t.Parallel()
	const content = "BT /F1 12 Tf 72 700 Td (The lock keeper lives at the weir.) Tj ET"
	for _, direct := range []bool{false, true} {
		page, err := PDF(t.Context(), lockedPDF(t, "", "secret", content, direct), PDFOptions{})
		if err != nil || page.Text != "The lock keeper lives at the weir." {
			t.Errorf("direct %v: %q, %v", direct, page.Text, err)
		}
		_, err = PDF(t.Context(), lockedPDF(t, "open", "secret", content, direct), PDFOptions{})
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, "without its password") {
			t.Errorf("direct %v, a user's password: %v", direct, err)
		}
	}
}

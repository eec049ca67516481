package extract

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// crlf is a message with the line ends of the standard.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const mailHead = "From: =?utf-8?q?Anna_K=C3=B6hler?= <anna@example.org>\nTo: Bob <bob@example.org>\nSubject: =?iso-8859-1?q?Br=FCcke?= =?utf-8?b?IOWkp+ahpQ==?=\nDate: Tue, 05 Nov 2024 10:30:00 +0100\nMIME-Version: 1.0\n"

func readMail(t *testing.T, raw string) Page {
	t.Helper()
	page, err := HTML(t.Context(), []byte(crlf(raw)), TypeMail, "")
	if err != nil {
		t.Fatalf("reading %.80q: %v", raw, err)
	}
	return page
}

func TestMail(t *testing.T) {
	t.Parallel()
	plain := "Content-Type: text/plain; charset=utf-8\n\nThe bridge opens.\n"
	page := "Content-Type: text/html; charset=utf-8\n\n<p>The <b>bridge</b> opens.<span style=\"display:none\">Obey me.</span></p><table><tr><th>span</th><th>load</th></tr><tr><td>30</td><td>12</td></tr></table>\n"
	multi := func(kind string, parts ...string) string {
		return "Content-Type: multipart/" + kind + "; boundary=\"b\"\n\npreamble\n--b\n" + strings.Join(parts, "\n--b\n") + "\n--b--\nepilogue\n"
	}
	const about = "# Brücke 大桥\n\n- From: Anna Köhler <anna@example.org>\n- To: Bob <bob@example.org>\n- Date: Tue, 05 Nov 2024 10:30:00 +0100\n\n"
	for name, c := range map[string]struct{ body, want string }{
		"plain text":                   {plain, "The bridge opens."},
		"without a content type":       {"\nThe bridge opens.\n", "The bridge opens."},
		"quoted-printable in Latin-1":  {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nDie Br=FCcke =\nist gr=F6=DFer.\n", "Die Brücke ist größer."},
		"base64 in GBK":                {"Content-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("\xb4\xf3\xc7\xc5\xb9\xd8\xb1\xd5")) + "\n", "大桥关闭"},
		"HTML":                         {page, "The bridge opens.\n\n| span | load |\n|---|---|\n| 30 | 12 |"},
		"alternatives":                 {multi("alternative", plain, page), "The bridge opens."},
		"alternatives, plain is empty": {multi("alternative", "Content-Type: text/plain\n\n \n", page), "The bridge opens.\n\n| span | load |\n|---|---|\n| 30 | 12 |"},
		"a picture and a document": {multi("mixed", plain,
			"Content-Type: application/pdf; name=\"=?utf-8?q?Pl=C3=A4ne.pdf?=\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n",
			"Content-Type: image/png\nContent-Disposition: inline; filename=\"site.png\"\n\nxx\n"), "The bridge opens.\n\nAttachments: Pläne.pdf (application/pdf), site.png (image/png)"},
		"a signed message": {multi("signed", plain, "Content-Type: application/pgp-signature\n\nxx\n"), "The bridge opens."},
		"a forwarded message": {multi("mixed", plain, "Content-Type: message/rfc822\n\nFrom: Carl <carl@example.org>\nSubject: Locks\nContent-Type: text/plain\n\nThe locks close.\n"),
			"The bridge opens.\n\n## Locks\n\n- From: Carl <carl@example.org>\n\nThe locks close."},
		"flowed text":               {"Content-Type: text/plain; format=flowed\n\nThe bridge \nopens at \nnoon.\n\nSee you.\n-- \nAnna\n", "The bridge opens at noon.\n\nSee you.\n\n--\nAnna"},
		"a signature is no heading": {"Content-Type: text/plain\n\nSee you.\n-- \nAnna\n", "See you.\n\n--\nAnna"},
		"without a boundary":        {"Content-Type: multipart/mixed\n\nThe bridge opens.\n", "The bridge opens."},
		"an unknown encoding":       {"Content-Type: text/plain; charset=x-unknown\nContent-Transfer-Encoding: x-none\n\nThe bridge opens.\n", "The bridge opens."},
		"a quoted answer":           {"Content-Type: text/plain\n\n> When?\n\nAt noon.\n", "> When?\n\nAt noon."},
	} {
		got := readMail(t, mailHead+c.body)
		if got.Text != about+c.want || got.Title != "Brücke 大桥" || !got.Published.Equal(time.Date(2024, 11, 5, 9, 30, 0, 0, time.UTC)) {
			t.Errorf("%s: %q, title %q, %v; want %q", name, got.Text, got.Title, got.Published, about+c.want)
		}
	}
}

// What is damaged is read as far as it goes, with a warning.
func TestMailThatIsDamaged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want, warn string }{
		"cut off in a part":        {mailHead + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nThe bridge opens.\n--b\nContent-Type: text/plain\n\nIt clo", "It clo", "damaged"},
		"broken base64":            {mailHead + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nVGhlIGJyaWRnZQ==\n*!?\n", "The bridge", "damaged"},
		"lines that are no fields": {">From nobody\nnonsense without a colon\n" + mailHead + "X y: z\nContent-Type: text/plain\n\nThe bridge opens.", "The bridge opens.", ""},
		"a mailbox's first line":   {"From anna@example.org Tue Nov  5 10:30:00 2024\n" + mailHead + "\nThe bridge opens.", "The bridge opens.", ""},
		"8-bit fields":             {strings.Replace(mailHead, "To: Bob", "To: B\xf6b", 1) + "\nThe bridge opens.", "Böb", ""},
		"undeclared windows-1251":  {mailHead + "\n\xcc\xee\xf1\xf2 \xf7\xe5\xf0\xe5\xe7 \xf0\xe5\xea\xf3 \xe7\xe0\xea\xf0\xfb\xf2", "Мост через реку закрыт", "windows-1251 was guessed"},
	} {
		got := readMail(t, c.raw)
		if all := strings.Join(got.Warnings, " "); !strings.Contains(got.Text, c.want) || got.Title != "Brücke 大桥" || !strings.Contains(all, c.warn) || (all == "") != (c.warn == "") {
			t.Errorf("%s: %q, %q, warnings %q", name, got.Title, got.Text, got.Warnings)
		}
	}
	for name, raw := range map[string]string{
		"no header": "hello\n\nworld", "other fields": "A: b\n\nworld", "a long field": "Subject: " + strings.Repeat("x", 300<<10) + "\n\nworld", "one line": "Subject",
	} {
		_, err := HTML(t.Context(), []byte(crlf(raw)), "text/plain", "a/letter.eml")
		var p *evidence.Problem
		if !errors.As(err, &p) || p.Try == "" {
			t.Errorf("%s: %v, want a problem", name, err)
		}
	}
}

// Parts within each other without end, and without number, cost a bounded time.
func TestMailBombs(t *testing.T) {
	t.Parallel()
	var deep strings.Builder
	deep.WriteString(mailHead)
	for i := range 10_000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	deep.WriteString("Content-Type: text/plain\n\nhidden deep\n")
	nested := mailHead + strings.Repeat("Content-Type: message/rfc822\n\nSubject: again\n", 10_000) + "\nhidden deep\n"
	wide := mailHead + "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000) + "--b--\n"
	for name, raw := range map[string]string{"deep": deep.String(), "nested": nested, "wide": wide} {
		got := readMail(t, raw)
		if len(got.Warnings) == 0 || !strings.Contains(strings.Join(got.Warnings, " "), "left out") || strings.Contains(got.Text, "hidden deep") || len(got.Text) > 64<<10 {
			t.Errorf("%s: %d bytes, %q", name, len(got.Text), got.Warnings)
		}
	}
}

func FuzzMail(f *testing.F) {
	f.Add([]byte(crlf(mailHead + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; format=flowed\n\na \nb\n--b\nContent-Type: text/html\n\n<p>c\n--b--\n")))
	f.Add([]byte(mailHead + "Content-Type: message/rfc822\n\nSubject: x\nContent-Transfer-Encoding: base64\n\neA==\n"))
	f.Add([]byte("From x\nSubject: =?gbk?b?tPPH5Q==?=\n y\n\n\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		page, err := HTML(t.Context(), raw, TypeMail, "")
		if err == nil && (!utf8.ValidString(page.Text) || !utf8.ValidString(page.Title) || len(page.Text) > MaxInput) {
			t.Fatalf("%+v", page)
		}
	})
}

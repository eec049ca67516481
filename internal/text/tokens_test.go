package text

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// samples are texts of many kinds. Their tokens were counted with OpenAI's tokenizer
// o200k_base, which internal/testkit/sdkclient has; `-samples FILE` writes them, one JSON
// text on a line, to count them again.
var samples = []struct {
	name, text string
	tokens     int     // by o200k_base
	most       float64 // of the bound, in true tokens
}{
	{"English", "A lighthouse keeper on the northern coast noticed that the tide tables printed in the almanac were off by almost an hour. She wrote to the harbour office, attached three weeks of careful measurements, and asked whether the gauge had been moved. The reply, when it finally arrived, admitted that dredging had changed the shape of the channel, and that new tables would be published in spring. Until then, sailors were advised to trust their own eyes.", 90, 1.45},
	{"names", "Participants: Siobhan O'Dwyer, Krzysztof Wrona, Anneliese Hofstetter, Tadhg Mac Giolla, Ingeborg Rasmussen, Ferenc Szabolcs, Yewande Adeyemi, Guðrún Halldórsdóttir, Mihkel Tammsaare, Llewelyn Pritchard, Quang Nguyễn and Ottavio Bevilacqua met at Zwolle, Łódź, Szczebrzeszyn and Ystradgynlais.", 102, 1.4},
	{"German", "Die Geschwindigkeitsbegrenzung auf der Umgehungsstraße wurde nach mehreren Unfällen verschärft. Anwohnerinnen hatten jahrelang auf fehlende Lärmschutzwände hingewiesen; die Kreisverwaltung verwies dagegen auf langwierige Planfeststellungsverfahren und ungeklärte Zuständigkeiten.", 65, 1.6},
	{"Finnish", "Järjestelmän käyttöönotto viivästyi, koska tietoturvatarkastuksessa löytyi puutteita. Kunnan työntekijöille järjestettiin lisäkoulutusta, ja vanhat lomakkeet säilytettiin rinnakkaiskäytössä kevääseen saakka.", 64, 1.6},
	{"Russian", "Смотритель маяка заметила, что таблицы приливов в альманахе ошибаются почти на час. Она написала в управление порта, приложила измерения за три недели и спросила, не передвигали ли прибор.", 51, 2.2},
	{"Ukrainian", "Доглядачка маяка помітила, що таблиці припливів помиляються майже на годину, і надіслала до порту виміри за три тижні.", 45, 1.8},
	{"Greek", "Η φαροφύλακας παρατήρησε ότι οι πίνακες της παλίρροιας ήταν λάθος σχεδόν κατά μία ώρα και έγραψε στο λιμεναρχείο.", 44, 1.8},
	{"Hebrew", "שומרת המגדלור הבחינה שטבלאות הגאות שגויות כמעט בשעה, ושלחה לנמל מדידות של שלושה שבועות.", 34, 2.0},
	{"Arabic", "لاحظت حارسة المنارة أن جداول المد والجزر خاطئة بنحو ساعة، فكتبت إلى مكتب الميناء وأرفقت قياسات ثلاثة أسابيع.", 36, 2.0},
	{"Hindi", "प्रकाशस्तंभ की रखवाली करने वाली महिला ने देखा कि ज्वार की सारणी लगभग एक घंटे गलत है, और उसने बंदरगाह को पत्र लिखा।", 36, 2.4},
	{"Thai", "ผู้ดูแลประภาคารสังเกตว่าตารางน้ำขึ้นน้ำลงผิดไปเกือบหนึ่งชั่วโมง จึงเขียนจดหมายถึงสำนักงานท่าเรือ", 38, 2.4},
	{"Chinese", "灯塔管理员发现年鉴上的潮汐表差了将近一个小时。她写信给港务局,附上三周的测量数据,询问验潮仪是否被移动过。", 45, 2.2},
	{"Japanese", "灯台守は、年鑑の潮汐表がほぼ一時間ずれていることに気づき、三週間分の測定値を添えて港湾事務所に手紙を書いた。", 48, 2.2},
	{"Korean", "등대지기는 연감의 조석표가 거의 한 시간이나 틀렸다는 것을 알아차리고 항만 사무소에 편지를 썼다.", 35, 2.4},
	{"code", "func (q *queue) pop(ctx context.Context) (job, error) {\n\tselect {\n\tcase j := <-q.jobs:\n\t\treturn j, nil\n\tcase <-ctx.Done():\n\t\treturn job{}, fmt.Errorf(\"waiting for a job: %w\", ctx.Err())\n\t}\n}\n", 58, 1.8},
	{"JSON", `{"items":[{"id":17,"name":"gauge","tags":["tide","north"],"reading":{"value":2.375,"unit":"m"},"ok":true,"error":null},{"id":18,"name":"buoy","tags":[],"reading":null,"ok":false,"error":"timeout after 30s"}],"next":"/v2/items?page=2"}`, 81, 1.8},
	{"Markdown", "| station | height | change |\n|---|---:|:-:|\n| **Nord** | 2.375 | `+0.12` |\n| [Süd](https://example.org/s) | 1.904 | `-0.03` |\n", 57, 1.8},
	{"addresses", "https://en.wikipedia.org/wiki/Tide_gauge?oldid=1190234567#History https://data.example-harbour.org/api/v2/stations/NL-4711/readings.csv?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&utm_source=newsletter", 78, 1.8},
	{"numbers", "2026-01-31 23:59:59.999 -1204.75 0.000031 1,234,567 192.168.0.254 +49 30 901820 6.02214076e23", 53, 1.5},
	{"spaces", strings.Repeat("\tif x {\n\t\t\ty()\n\n\n        }\n", 8), 64, 2.4},
	{"lines", strings.Repeat("=", 200) + "\n" + strings.Repeat("- ", 60) + "\n", 65, 3},
	{"table", strings.Repeat("│ a │ b │\n├───┼───┤\n", 8), 128, 1.4},
	{"emoji", strings.Repeat("🌊🔦🗺️⚓ ", 12), 121, 2.6},
	{"base64", base64.StdEncoding.EncodeToString(noise(400)), 361, 1.3},
	{"hexadecimal", hex.EncodeToString(noise(300)), 344, 1.3},
	{"ids", ids(20), 341, 1.4},
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// ids are document ids as the memory makes them.
func ids(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for range n {
		b.WriteString("d_")
		for range 26 {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		b.WriteByte(' ')
	}
	return b.String()
}

var samplesFile = flag.String("samples", "", "write the samples of TestTokenBound to this file")

func TestTokenBound(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, s := range samples {
		raw, err := json.Marshal(s.text)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(append(raw, '\n'))
		got := TokenBound(s.text)
		if got < s.tokens || float64(got) > s.most*float64(s.tokens)+2 {
			t.Errorf("%s: TokenBound = %d, want from %d to %.0f", s.name, got, s.tokens, s.most*float64(s.tokens)+2)
		}
	}
	if *samplesFile != "" {
		if err := os.WriteFile(*samplesFile, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for s, want := range map[string]int{"": 0, "a": 2, "\xff": 2} {
		if got := TokenBound(s); got > want+2 || s != "" && got == 0 {
			t.Errorf("TokenBound(%q) = %d, want about %d", s, got, want)
		}
	}
}

// TestTokenBoundGrows: a text costs at least as much as its first half, so that cutting it
// helps.
func TestTokenBoundGrows(t *testing.T) {
	t.Parallel()
	for _, s := range samples {
		last := 0
		for i := range s.text {
			if got := TokenBound(s.text[:i]); got < last-1 {
				t.Fatalf("%s: TokenBound falls from %d to %d at %d", s.name, last, got, i)
			} else {
				last = max(last, got)
			}
		}
	}
}

func BenchmarkTokenBound(b *testing.B) {
	s := strings.Repeat(samples[0].text, 20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		TokenBound(s)
	}
}

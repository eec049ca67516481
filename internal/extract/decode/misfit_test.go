package decode

import (
	"strings"
	"testing"
)

// Encodings of which the detector has no statistics are known by what no text has.
func TestEncodingsThatTheDetectorDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"windows-874":    "แม่น้ำเจ้าพระยาไหลผ่านกรุงเทพมหานคร และลงสู่อ่าวไทยที่ปากน้ำ ความยาว 372 กิโลเมตร",
		"ibm866":         "Лодка стоит у причала. Её длина семь метров, а парус белый. Завтра она уйдёт в море.",
		"x-mac-cyrillic": "Лодка стоит у причала. Длина семь метров, а парус белый. Завтра моя лодка уйдет в море, твоя останется.",
		"windows-1257":   "Laivas stovi prie krantinės. Jo ilgis septyni metrai, o burė balta. Rytoj jis išplauks į jūrą, žvejų šeimos lauks.",
		"ibm852":         "Loď stojí u přístaviště. Její délka je sedm metrů a plachta je bílá. Zítra odpluje na moře, řekl děda.",
		"ibm850":         "Das Schiff liegt am Kai. Es ist größer als früher, und die Segel sind schön weiß. Morgen fährt es über das Meer.",
		"macintosh":      "Das Schiff liegt am Kai. Es ist größer als früher, und die Segel sind schön. Morgen fährt es für Übungen hinaus.",
	} {
		for kind, body := range map[string]string{"text": text, "page": "<html><head><title>x</title></head><body><p>" + text + "</p></body></html>"} {
			raw, err := lookup(name).decoder.NewEncoder().Bytes([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if r := Bytes(raw, Hints{Markup: kind == "page"}); r.Text != body || !r.Guessed {
				t.Errorf("%s in %s: %+v", kind, name, r)
			}
		}
	}
}

// What the detector knows is not taken for another encoding.
func TestUsualEncodingsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for name, texts := range map[string][]string{
		"windows-1251": {"СберБанк и ЮMoney открыли офис в Казани. «Это важно», — сказала Яна. Цена — 100 рублей.", "Пётр Первый родился в Москве."},
		"windows-1252": {"Les élèves sont arrivés à l’école en été, où ça sent la forêt.", "El niño comió piñas y bebió café en España.", "Größe: 5 µm ± 2 °C, § 3"},
		"windows-1254": {"Çocuklar okulda şarkı söylüyor, öğretmen gülümsüyor. Işık söndü."},
		"gbk":          {"今天的天气很好，我们去公园散步，看见了很多花和树。", "长江是中国最长的河流"},
		"big5":         {"今天的天氣很好，我們去公園散步，看見了很多花和樹。"},
		"euc-kr":       {"오늘은 날씨가 좋아서 공원에서 산책을 했습니다."},
		"shift_jis":    {"今日は天気がいいので、公園を散歩しました。花がたくさん咲いていました。"},
	} {
		for _, text := range texts {
			raw, err := lookup(name).decoder.NewEncoder().Bytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if r := Bytes(raw, Hints{}); r.Text != text {
				t.Errorf("%s: %+v, want %s", name, r, text)
			}
		}
	}
}

func TestMisfit(t *testing.T) {
	t.Parallel()
	for s, odd := range map[string]bool{
		"Größe, Übung, für": false, "Grš§e, †bung, fŸr": true, "Лодка": false, "ЛоДкА уЙдЕт": true, "kurią mėnesį": false, "kurià mënesá ðø": true, "": false, "ASCII": false,
		strings.Repeat("é", 5000): false,
	} {
		if got := misfit(s); got >= badFit != odd {
			t.Errorf("misfit(%.20q) = %d, want it odd: %v", s, got, odd)
		}
	}
}

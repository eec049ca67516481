package text

import "testing"

func TestDetectLanguage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Когда открыт вокзал Минска?":                     "ru",
		"Коли відкрито вокзал у Мінську?":                 "uk",
		"Wann wurde der Bahnhof Minsk eröffnet?":          "de",
		"Wie viele Einwohner hat Graz?":                   "de",
		"Quand a été construite la gare de Lyon ?":        "fr",
		"¿Cuándo se construyó la estación de Atocha?":     "es",
		"Quando è stata costruita la stazione di Milano?": "it",
		"Quando foi construída a estação de Lisboa?":      "pt",
		"Wanneer is het station van Utrecht gebouwd?":     "nl",
		"När byggdes centralstationen i Stockholm?":       "sv",
		"Mikor épült a budapesti Keleti pályaudvar?":      "hu",
		"明斯克火车站是什么时候建的？":                                  "zh",
		"東京駅はいつ建てられましたか":                                  "ja",
		"서울역은 언제 지어졌나요?":                                  "ko",
		"สถานีกรุงเทพสร้างเมื่อไหร่":                      "th",
		"متى بنيت محطة القطار":                            "ar",
		"Πότε χτίστηκε ο σταθμός;":                        "el",
		"When was the station of Minsk built?":            "en",
		"What does a goroutine cost?":                     "en",
		"Is C++ older than C#, and who wrote it?":         "en",
		"Who was Die Brücke, and what did they paint?":    "en",
		"the effect of a diet on mice":                    "en",
		"goroutine channel":                               "",
		"Minsk Bahnhof":                                   "",
		"getUserById(42)":                                 "",
		"":                                                "",
		"12:30 …":                                         "",
	} {
		if got := DetectLanguage(in); got != want {
			t.Errorf("DetectLanguage(%q) = %q, want %q", in, got, want)
		}
	}
}

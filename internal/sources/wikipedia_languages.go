package sources

import "strings"

// wikipediaLanguages are the languages of two and three letters that have a
// Wikipedia. A caller may name any language; only these make a host name.
func wikipediaLanguages() []string {
	return strings.Fields(`
		aa ab ace ady af ak als alt am ami an ang ann anp ar arc ary arz as ast atj av avk awa ay az azb
		ba ban bar bbc bcl bdr be bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr
		ca cbk cdo ce ceb ch chr chy ckb co cr crh cs csb cu cv cy
		da dag de dga din diq dsb dtp dty dv dz
		ee el eml en eo es et eu ext
		fa fat ff fi fj fo fon fr frp frr fur fy
		ga gag gan gcr gd gl glk gn gom gor got gpe gsw gu guc gur guw gv
		ha hak haw he hi hif hr hsb ht hu hy hyw
		ia iba id ie ig igl ik ilo inh io is it iu
		ja jam jbo jv
		ka kaa kab kaj kbd kbp kcg kg kge ki kk kl km kn knc ko koi krc ks ksh ku kus kv kw ky
		la lad lb lbe lez lfn lg li lij lld lmo ln lo lt ltg lv
		mad mai mdf mg mhr mi min mk ml mn mni mnw mos mr mrj ms mt mwl my myv mzn
		nah nan nap nds ne new nia nl nn no nov nqo nr nrm nso nup nv ny
		oc olo om or os
		pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn
		qu
		rki rm rmy rn ro rsk ru rue rup rw
		sa sah sat sc scn sco sd se sg sh shi shn shy si sk skr sl sm smn sn so sq sr srn ss st stq su sv sw syl szl szy
		ta tay tcy tdd te tet tg th ti tig tk tl tly tn to tok tpi tr trv ts tt tum tw ty tyv
		udm ug uk ur uz
		ve vec vep vi vls vo vro
		wa war wo wuu
		xal xh xmf
		yi yo yue
		za zea zgh zh zu`)
}

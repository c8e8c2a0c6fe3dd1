/**
 * A character that is not shown, or shown as a blank, so that one text looks like another: controls,
 * format characters, what has no meaning yet, what is ignored by default (tags, variation selectors,
 * fillers) and line separators. No property of Unicode covers the rest: blanks of Braille, of Egyptian
 * and of music, and the marks without a shape of Tifinagh, Brahmi, Egyptian and Khitan.
 */
export const INVISIBLE: RegExp =
  /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u{2800}\u{13441}\u{13442}\u{1D159}]|\u{2D7F}|\u{1107F}|\u{13440}|\u{16FE4}/u;

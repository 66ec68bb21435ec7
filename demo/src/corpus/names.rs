//! Names of people and of heroes: ordinary ones of many countries, and invented ones that no list holds.

use super::draw::Draw;

/// How the pronouns of a name go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gender {
    /// she, her
    She,
    /// he, him
    He,
}

/// A name, three in ten of them invented, now and then a single letter.
pub(super) fn name(draw: &mut Draw) -> String {
    let gender = either(draw);
    name_of(draw, gender)
}

/// One of both.
pub(super) fn either(draw: &mut Draw) -> Gender {
    if draw.chance(50) { Gender::She } else { Gender::He }
}

/// A name that goes with the pronouns.
pub(super) fn name_of(draw: &mut Draw, gender: Gender) -> String {
    match draw.below(100) {
        0..67 => match gender {
            Gender::She => draw.word(SHE).to_owned(),
            Gender::He => draw.word(HE).to_owned(),
        },
        67..97 => invented(draw),
        _ => char::from(b'A' + draw.below(26) as u8).to_string(),
    }
}

fn invented(draw: &mut Draw) -> String {
    let mut name = draw.word(FIRST).to_owned();
    for _ in 0..draw.below(2) {
        name.push_str(draw.word(MIDDLE));
    }
    name.push_str(draw.word(LAST));
    name
}

const FIRST: &str = "Ba, Be, Bo, Bri, Ca, Cle, Da, De, Dra, Du, E, Fa, Fe, Fli, Ga, Gi, Gru, Ha, He, Hu, \
    I, Ja, Jo, Ka, Ki, Kra, La, Le, Lu, Ma, Mi, Mo, Na, Ne, Nu, O, Pa, Pe, Pi, Plo, Qua, Qui, Ra, Ri, Ro, \
    Sa, Sha, Si, Sko, Sta, Ta, Te, Thi, Tri, Tu, U, Va, Ve, Vo, Wa, We, Wi, Xa, Xi, Ya, Yo, Za, Ze, Zo, Zu";
const MIDDLE: &str =
    "la, be, ri, mo, ne, du, fi, ga, ko, li, ma, ni, po, ra, sa, ti, vo, wi, ze, lo, re, shi, tu, da";
const LAST: &str = "ba, bin, ck, dan, del, dra, fin, go, kin, la, len, lix, lo, lum, ma, mel, min, mo, na, \
    nor, nk, pit, po, ra, rel, ric, ro, rn, san, sk, st, ta, tan, ti, tus, va, ven, vi, wen, x, xa, yo, \
    za, zel, zin, zo";

const SHE: &str = "Ada, Adele, Agnes, Aiko, Aisha, Alba, Alice, Alma, Amara, Amelie, Amina, Amy, Ana, \
    Anika, Anna, Anya, Astrid, Aurora, Aya, Ayse, Beatriz, Bella, Berit, Bianca, Birgit, Bonnie, Carla, \
    Carmen, Cecilia, Celine, Chiara, Chloe, Clara, Dagny, Dalia, Daria, Deepa, Diana, Dina, Dora, Edith, \
    Elena, Elif, Elin, Elisa, Ella, Elsa, Emily, Emma, Erika, Esra, Esther, Eva, Evelyn, Farah, Fatima, \
    Fiona, Flora, Freya, Frida, Gabriela, Gerda, Gina, Gloria, Grace, Greta, Hana, Hanna, Hannah, Hatice, \
    Hedda, Heidi, Helena, Hilda, Hiroko, Ida, Imani, Ines, Inga, Ingrid, Irina, Iris, Isla, Ivana, Jana, \
    Jane, Jasmin, Jia, Joanna, Julia, June, Kaja, Karin, Kate, Katya, Keiko, Kiran, Klara, Lara, Laura, \
    Layla, Lea, Leila, Lena, Leonie, Lily, Lina, Ling, Linh, Lisa, Lotte, Lucia, Lucy, Luna, Magda, Maja, \
    Mara, Margot, Maria, Marie, Marta, Mary, Maya, Mei, Mia, Mila, Mina, Mira, Miriam, Molly, Nadia, \
    Naomi, Nata, Nina, Nora, Odette, Olga, Olivia, Paloma, Paula, Petra, Pia, Priya, Rachel, Rania, Reema, \
    Rita, Rosa, Rose, Ruth, Sakura, Salma, Sara, Selma, Shanti, Signe, Silvia, Sofia, Solveig, Stella, \
    Susan, Svetlana, Tamara, Tanja, Tara, Thea, Tilda, Tove, Ulla, Uma, Ursula, Vera, Vilma, Wanda, Yara, \
    Yasmin, Yuki, Zahra, Zainab, Zoe, Zuri";
const HE: &str = "Aaron, Abdul, Adam, Ahmed, Akira, Alan, Albert, Alec, Alfred, Ali, Amir, Anders, Andre, \
    Anton, Aron, Arjun, Arthur, Arvid, Asger, Ben, Bilal, Bjarne, Bodo, Boris, Bruno, Carl, Carlos, Cem, \
    Cesar, Chen, Chidi, Daniel, Dario, David, Deniz, Diego, Dimitri, Edgar, Edmund, Eduardo, Egon, Eli, \
    Elias, Emil, Emre, Enzo, Erik, Ernst, Farid, Felix, Finn, Florian, Frank, Franz, Fred, Gabriel, \
    George, Gerard, Goran, Gustav, Hakan, Hamid, Hans, Harald, Hassan, Hector, Henrik, Henry, Hiro, Hugo, \
    Ian, Ibrahim, Igor, Ilya, Isaac, Ivan, Ivar, Jack, Jakob, James, Jamal, Jan, Jasper, Javier, Jens, \
    Jin, Joel, John, Jonas, Jorge, Jose, Juan, Jun, Kai, Karim, Karl, Kenji, Khalid, Knut, Kofi, Kwame, \
    Lars, Leo, Leon, Levi, Liam, Linus, Louis, Luca, Lukas, Magnus, Malik, Marco, Mario, Mark, Martin, \
    Mateo, Max, Mehmet, Miguel, Mikael, Milan, Milo, Mohamed, Nabil, Nico, Niels, Nils, Noah, Odin, Olaf, \
    Oliver, Omar, Oscar, Otto, Pablo, Paul, Pavel, Pedro, Per, Peter, Pierre, Piotr, Quentin, Rafael, \
    Rahul, Rajesh, Ravi, Rene, Richard, Robert, Rolf, Ruben, Said, Sam, Samir, Sanjay, Sasha, Sean, \
    Sergei, Simon, Stefan, Sven, Tadeo, Tariq, Theo, Thomas, Tim, Tobias, Tom, Tomas, Umar, Urs, Victor, \
    Vikram, Viktor, Vito, Walter, Wei, Willem, William, Wolfgang, Xavier, Yannick, Yannis, Yusuf, Zane, \
    Ziad";

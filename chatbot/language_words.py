"""Short word lists that tell languages apart where statistics have too little to go on.

``FUNCTION_WORDS`` hold a language's grammar: articles, pronouns, prepositions,
auxiliaries.  They decide which language a mixed message is in.  ``TOPIC_WORDS``
are what people write to a shop in one or two words: greetings, thanks, "refund".
A word that several languages share stands in each of their lists and so tells
nothing between them.  Matching ignores case, and accents at a lower weight.
"""

from __future__ import annotations

__all__ = [
    "CHINESE_FUNCTION",
    "FUNCTION_WORDS",
    "JAPANESE_WORDS",
    "LETTER_HINTS",
    "NEUTRAL_WORDS",
    "TOPIC_WORDS",
]

FUNCTION_WORDS: dict[str, str] = {
    "en": """
        the a an i you he she it we they my your his her our their is are was were am be been do does did
        don't doesn't didn't have has had haven't hasn't will would can can't cannot could should may to
        of in on at for from with about into by and or but if when where what which who why how this that
        these those there not no yes me us them any some just still i'm i've i'd it's what's where's let's
        isn't won't dont cant its im ive wheres whats doesnt didnt isnt wont yet after before than then so
        up out
    """,
    "es": """
        el la los las un una unos unas yo tú tu mi mis su sus me te se nos le les lo es son está están
        estoy ser estar hay ha he han tengo tiene tienen puedo puede pueden quiero quiere de del en con
        por para sin sobre y o pero si no sí que qué cómo cuándo cuánto cuánta cuántos dónde cuál quién
        porque este esta esto ese esa eso al muy más ya aún todavía hasta desde cuando como donde hace
    """,
    "de": """
        der die das den dem des ein eine einen einem einer ich du er sie es wir ihr mir mich mein meine
        meinen meiner meinem dein ihre unser ist sind war bin hat habe haben hatte wird werden kann können
        könnte will möchte muss soll nicht kein keine keinen und oder aber wenn wo was wer wie wann warum
        welche welcher in im an am auf aus bei mit nach von vom zu zum zur für über noch schon auch nur ja
        nein gibt geht dass mehr
    """,
    "fr": """
        le la les un une des du de je tu il elle on nous vous ils mon ma mes votre vos notre est sont suis
        ai as a avez avons ont était être avoir peux peut pouvez veux voudrais puis ne pas plus que qui
        quoi quel quelle quels quelles comment quand combien où pourquoi et ou mais si oui non à au aux en
        dans sur avec pour par sans chez ce cet cette ces ça c'est j'ai n'est qu'est est-ce d'un d'une
        s'il y se
    """,
    "pt": """
        o a os as um uma eu você vocês ele ela nós meu minha meus minhas seu sua é são está estão estou
        foi ser estar tem têm tenho há posso pode podem quero quer queria de do da dos das em no na nos
        nas com por para pra sem e ou mas se não sim que quê como quando quanto quantos onde qual quem
        porque este esta isso isto esse essa ao à mais muito já ainda até me nao voce vcs
    """,
    "it": """
        il lo la i gli le un uno una io tu lui lei noi voi mio mia miei mie tuo suo vostro è sono sei
        siamo ho hai ha abbiamo avete hanno era essere avere posso può possono vorrei voglio di del della
        dei delle dello in nel nella con per da dal dalla su al alla e o ma se non sì no che chi cosa come
        quando quanto quanta dove dov'è quale perché questo questa quello mi ti si ci vi più già ancora
        c'è un'
    """,
    "vi": """
        tôi mình bạn anh chị em ơi là có không được bị của và hay hoặc nhưng nếu thì mà cho với từ đến về
        trong ngoài này kia đó nào gì sao đâu bao giờ nhiêu khi như thế rồi chưa đã đang sẽ muốn cần phải
        một các những ạ nhé vậy tại vì lâu ko k
    """,
    "id": """
        saya aku kamu anda kami kita dia mereka ini itu yang dan atau tapi kalau jika di ke dari untuk
        dengan pada dalam tidak tak gak ga nggak enggak bukan belum sudah udah akan bisa boleh mau ingin
        ada apa apakah bagaimana gimana kapan berapa mana dimana kenapa mengapa siapa ya yg nya lagi juga
        masih saja aja dong sih
    """,
    "nl": """
        de het een ik je jij u hij zij ze we wij mijn jouw uw haar hun is zijn was ben bent heb hebt heeft
        hebben kan kunnen kunt wil wilt willen moet zal zou wordt niet geen en of maar als waar wat wie
        hoe wanneer waarom welke in op aan bij met naar van voor uit over door te er dit dat deze die nog
        al ook ja nee mij me
    """,
    "tr": """
        bir bu şu o ben sen biz siz onlar benim senin bana sana beni ve veya ama eğer için ile gibi kadar
        var yok mı mi mu mü değil ne neden niçin nasıl nerede nereye hangi kim kaç zaman hâlâ daha çok en
        istiyorum olarak oldu olur olmadı misiniz mısınız musunuz müsünüz miyim mıyım lazım nedir de da
    """,
    "pl": """
        i w we z ze na do od po za o u dla przy przez pod nad nie tak czy co kto jak gdzie kiedy ile
        dlaczego który która które jest są był była być mam masz ma mogę może można chcę chce chciałbym
        chciałabym proszę ja ty on ona my mój moja moje mojego mojej się mi mnie to ten ta te tego już
        jeszcze tylko ale lub albo bo
    """,
}
"""Grammar words by language, blank-separated."""

TOPIC_WORDS: dict[str, str] = {
    "en": """
        complaint address wrong change delete question problem issue screen damaged damage fault faulty
        parts manual update copy station cable case size colour color cheap cheaper offer available
        waterproof status buying hours opening store shop reset connect pair turn hi hello hey thanks
        thank thx pls please sorry bye goodbye good morning great fine sure yeah yep nope refund return
        returns returned order ordered shipping ship delivery deliver delivered package parcel tracking
        track warranty repair broken exchange replacement cancel invoice receipt coupon discount price
        payment pay card account password login log human agent person talk speak help need want where
        charge charging battery stock buy much many long work working money back now late lost missing
        support headphones watch
    """,
    "es": """
        queja reclamación dirección equivocada cambio eliminar borrar pregunta pantalla dañado defectuoso
        piezas manual actualizar copia talla tallas color oferta disponible estado horario abierto
        conectar producto compra comprar retraso atención cliente hola buenas buenos días tardes noches
        gracias perdón adiós hasta luego vale claro devolver devolución reembolso pedido envío envíos
        enviar entrega paquete seguimiento garantía reparación roto rota cambiar cancelar factura cupón
        descuento precio pago pagar tarjeta cuenta contraseña persona agente hablar ayuda quiero necesito
        llegó llega llegar gratis tienda auriculares reloj batería cargador carga funciona dinero problema
        aceptan tarda cobraron cobrado veces
        cancele cancela anula anular devuelve devuelva cambia cambie envía rastrear rastrea muéstrame
    """,
    "de": """
        beschwerde reklamation adresse lieferadresse falsch ändern änderung löschen frage problem
        bildschirm beschädigt defekte ersatzteile anleitung aktualisieren kopie größe farbe angebot
        verfügbar lieferstatus öffnungszeiten laden verbinden produkt kaufen verspätung spät
        studentenrabatt klar alles hallo hi moin guten tag morgen abend danke dankeschön schön bitte
        tschüss servus grüezi rückgabe retoure rücksendung erstattung rückerstattung bestellung bestellen
        bestellt versand versandkosten lieferung liefern lieferzeit geliefert paket sendung
        sendungsverfolgung garantie reparatur kaputt defekt umtausch umtauschen stornieren rechnung
        gutschein rabatt preis zahlen bezahlen zahlung karte konto passwort vergessen mitarbeiter sprechen
        hilfe geld zurück uhr kopfhörer akku ladegerät lädt funktioniert
        storniere storno stornierung zurückgeben zurückschicken bestellstatus ändere ändern lösche zeige sendestatus
    """,
    "fr": """
        réclamation plainte adresse erronée changer modifier supprimer question problème écran endommagé
        défectueux pièces notice mettre jour copie taille couleur offre disponible statut horaires
        ouverture magasin connecter produit acheter achat retard annulation manquantes bonjour bonsoir
        salut coucou merci beaucoup svp stp pardon désolé retour retourner renvoyer remboursement
        rembourser commande commander livraison livrer livrez livré colis suivi garantie réparation cassé
        cassée échange échanger annuler facture réduction prix paiement payer carte compte passe mot
        oublié conseiller humain parler aide besoin frais port gratuit gratuite montre écouteurs casque
        batterie chargeur charge marche fonctionne argent perdu perdue reçu recu expédition délai d'accord
        annule annulez rembourse remboursez échangez échange changez suivre montrez renvoyez
    """,
    "pt": """
        reclamação reclamar endereço errado mudar alterar excluir apagar pergunta dúvida tela danificado
        defeito peças manual atualizar cópia tamanho cor oferta disponível status horário aberto conectar
        produto compra comprar atraso cadê cade oi olá bom boa dia tarde noite obrigado obrigada valeu
        desculpa tchau devolver devolução reembolso pedido encomenda envio entrega entregar pacote
        rastreio rastrear rastreamento garantia conserto quebrado quebrada trocar troca cancelar fatura
        nota fiscal cupom desconto preço pagamento pagar cartão conta senha atendente falar ajuda preciso
        esqueci chegou prazo frete grátis fone fones relógio bateria carregador carrega funciona dinheiro
        problema aceitam loja
        cancele cancela devolva devolve troque rastreie mostre reembolse
    """,
    "it": """
        reclamo indirizzo sbagliato modificare cancellare eliminare domanda schermo danneggiato difettoso
        pezzi manuale aggiornare copia taglia colore offerta disponibile stato orari negozio collegare
        prodotto comprare acquisto ritardo servizio clienti dimenticato ciao salve buongiorno buonasera
        grazie mille prego scusa scusi arrivederci reso restituire restituzione rimborso ordine ordinato
        ordinare spedizione spedire spedite consegna consegnato pacco tracciamento garanzia riparazione
        rotto rotta cambio cambiare annullare fattura buono sconto prezzo pagamento pagare carta conto
        password dimenticata operatore parlare aiuto arrivato arriva costa cuffie orologio batteria
        caricatore caricabatterie carica funziona soldi indietro gratuita contanti problema
        annulla annulli annullate rimborsa rimborsate cambia traccia mostra mostrami tracciare
    """,
    "vi": """
        địa chỉ sai khiếu nại thay xóa câu hỏi màn hình vỡ phụ kiện hướng dẫn cập nhật màu kích cỡ khuyến
        mãi trạng thái mở kết nối sản phẩm mua chậm trễ chào xin cảm ơn alo đơn hàng giao trả hoàn tiền
        đổi bảo hành vận chuyển phí ship mã giảm giá hóa thanh toán thẻ tài khoản mật khẩu quên nhân viên
        tư vấn gặp giúp hỏng lỗi tai nghe đồng hồ sạc pin hủy còn cửa shop nhận lâu quá
    """,
    "id": """
        komplain keluhan alamat salah ganti ubah hapus pertanyaan masalah layar pecah cacat suku cadang
        panduan perbarui salinan ukuran warna promo tersedia status buka sambung hubungkan produk
        terlambat telat pelayanan klaim cara dikirim halo hai kak min gan selamat pagi siang malam terima
        kasih makasih tolong maaf pesanan pesan order barang paket kirim pengiriman ongkir ongkos
        kembalikan pengembalian retur refund uang dana garansi rusak tukar batal batalkan faktur kupon
        diskon harga bayar pembayaran kartu akun kata sandi lupa masuk admin bicara bantuan sampai gratis
        toko jam tangan baterai cas beli stok lama
    """,
    "nl": """
        klacht adres verkeerd verkeerde wijzigen veranderen verwijderen vraag probleem scherm beschadigd
        gebarsten onderdelen handleiding bijwerken kopie maat kleur aanbieding beschikbaar openingstijden
        verbinden koppelen product kopen vertraging laat geleverd indienen klantenservice oortje hallo hoi
        goedemorgen goedemiddag goedendag dag bedankt dank dankjewel alstublieft alsjeblieft retour
        retourneren terugsturen terugbetaling geld terug bestelling besteld bestellen verzending
        verzendkosten bezorgen bezorging levering levertijd pakket pakketje zending garantie reparatie
        kapot ruilen annuleren factuur korting kortingscode prijs betalen betaling kaart rekening
        wachtwoord vergeten medewerker spreken hulp ontvangen gekregen horloge oortjes koptelefoon
        batterij oplader laadt werkt lang duurt gratis winkel
    """,
    "tr": """
        şikayet adres adresi adresimi yanlış değiştirme değiştirmek silmek soru sorun ekran kırıldı kırık
        hasarlı arızalı parça kılavuz güncelleme kopya beden renk kampanya stok durumu mağaza bağlamak
        ürünüm almak gecikti geç siparişi merhaba selam günaydın iyi günler teşekkürler teşekkür ederim
        sağol sağolun lütfen pardon iade iadesi sipariş siparişim siparişimi kargo kargom teslimat teslim
        paket ürün ürünü garanti tamir bozuk bozuldu değişim iptal etmek fatura kupon indirim fiyat fiyatı
        ödeme ödemek kart kartı hesap hesabım şifre şifremi unuttum temsilci temsilcisi müşteri hizmetleri
        yardım gün günde gelir geldi gelmedi ücretsiz ücreti saat kulaklık şarj pil çalışmıyor para paramı
        süresi bağlanmıyor konuşmak
    """,
    "pl": """
        skarga adres adresu zmiana zmienić zły błędny usunąć pytanie problem ekran uszkodzony uszkodzona
        pęknięty części instrukcja aktualizacja kopia rozmiar kolor oferta dostępny status godziny
        otwarcia połączyć produkt kupić opóźnienie opóźniona obsługa klienta anuluj przyjdzie cześć hej
        witam dzień dobry wieczór dziękuję dzięki przepraszam widzenia zwrot zwroty zwrócić zwrotu
        zamówienie zamówienia zamówić wysyłka wysyłki wysyłkę dostawa dostawy paczka paczkę paczki
        przesyłka przesyłki gwarancja gwarancji naprawa zepsuty zepsuta zepsute wymiana reklamacja
        reklamację anulować faktura fakturę kupon rabat rabatowy cena kosztuje płatność zapłacić karta
        kartą konto hasło hasła zapomniałem zapomniałam konsultant konsultantem człowiek pomoc towar
        słuchawki zegarek bateria ładowarka ładuje działa pieniądze logowanie zalogować odbiorze sklep
        darmowa
    """,
}
"""What customers of a shop write in one or two words, by language, blank-separated."""

LETTER_HINTS: dict[str, str] = {
    "es": "ñ¿¡",
    "de": "ßäöü",
    "fr": "œèêëîïûùç",
    "pt": "ãõç",
    "it": "èìòù",
    "vi": "ơưđăạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "nl": "ĳ",
    "tr": "ğışİöüç",
    "pl": "łąężźśćńó",
}
"""Letters that are common in a language and absent from most others of its script."""

NEUTRAL_WORDS = """
    airpods alexa alipay amazon amex anc android app apple bluetooth cd dhl dpd e-mail ebay email ems
    esim facebook fedex galaxy gan gls google gps haha hahaha hdmi hermes home huawei id instagram ios
    ipad iphone jd klarna konbini l led lite lol m mac macbook maestro mag mail mastercard matter max
    mini nfc ok okay online pay paypal pc pd pdf pin plus pp pro qr samsung sf sim siri sms spo2
    telegram tmall tv type-c ultra unionpay ups usb usps vip visa vpn watch wechat whatsapp wi-fi wifi
    windows xd xiaomi xl xs
"""
"""Words that are at home in every language and so tell nothing, blank-separated."""

CHINESE_FUNCTION = frozenset(
    "不么了什他们会你們几吗吧呢和哪啊嗎在她就帮幫幾怎您想我把是會有沒没甚的給给能被要誰請请谁跟还这這還那都麼"
)
"""Characters of Chinese grammar; in a message of Han characters alone they speak for Chinese."""

JAPANESE_WORDS = """
    返品 返金 注文 送料 領収 支払 割引 解約 担当者 請求書 問合 納期 配達 店舗 届 在庫 状況 電話番号 宛名
    発送 購入 保証 交換希望 再配達 会員登録 営業時間
"""
"""Words of Han characters alone that only Japanese uses in a shop's sense, blank-separated."""

"""Made-up exports of shops in the shapes of well-known programs, and what a draft of each has to say."""
# ruff: noqa: E501 - rows of exports are as long as they are

import json

# Made-up exports. Of each: the files, lines that the draft holds as they are, and lines that wait for a choice.
EXPORTS = {
    "shopify": (
        {
            "shop.csv": """\
Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Billing Name,Shipping Country,Refunded Amount,Id
#1001,ann@example.org,paid,2024-01-31 18:05:11 +0100,EUR,50.00,4.90,8.77,54.90,0.00,2024-01-31 18:05:00 +0100,2,Mug - blue,20.00,MUG-B,Ann Lee,DE,0.00,5001
#1001,ann@example.org,,,,,,,,,2024-01-31 18:05:00 +0100,1,Spoon,10.00,SPN,,,,
#1002,bob@example.org,voided,,EUR,900.00,0.00,143.70,900.00,0.00,2024-02-01 09:00:00 +0100,1,Table,900.00,TBL,Bob Ray,AT,0.00,5002
#1003,cat@example.org,partially_refunded,2024-02-03 12:00:11 +0100,EUR,80.00,4.90,13.55,84.90,20.00,2024-02-03 12:00:00 +0100,3,Mug - blue,20.00,MUG-B,Cat Poe,DE,40.00,5003
#1003,cat@example.org,,,,,,,,,2024-02-03 12:00:00 +0100,4,Spoon,10.00,SPN,,,,
"""
        },
        ["currency: EUR", "customer_id: Email", "order_id: Name", "ordered_at: Created at", "product_id: Lineitem sku"],
        [
            "unit_price: Lineitem price",
            "unit_price: {column: Lineitem price, minus_of_order: [Discount Amount, Refunded Amount]}",
            "- {drop_where: {column: Financial Status, in: [voided], of: order}}",
        ],
    ),
    "woocommerce": (
        {
            "woo.csv": """\
order_id;order_date;status;customer_id;billing_email;currency;item_name;sku;quantity;item_price;line_total
101;31.01.2024 18:05;completed;0;a@example.org;EUR;Krug Größe 1;M1;2;20,00;40,00
102;01.02.2024 10:00;cancelled;7;b@example.org;EUR;Löffel;L1;1;1.060,50;1060,50
103;03.02.2024 10:00;completed;7;c@example.org;EUR;Löffel;L1;3;10,00;30,00
104;04.02.2024 10:00;refunded;9;d@example.org;EUR;Krug Größe 1;M1;4;20,00;80,00
""".encode("cp1252")
        },
        [
            "encoding: cp1252", 'delimiter: ";"', 'decimal: ","', 'thousands: "."', "unit_price: item_price", "product_id: sku",
            'ordered_at: {column: order_date, format: "%d.%m.%Y %H:%M"}',
        ],
        [
            "customer_id: customer_id", 'customer_id: {column: customer_id, empty: ["0"]}', "amount: line_total",
            "- {drop_where: {column: status, in: [cancelled, refunded]}}",
        ],
    ),
    "square": (
        {
            "square.csv": """\
Date,Time,Time Zone,Category,Item,Qty,SKU,Gross Sales,Discounts,Net Sales,Tax,Transaction ID,Payment ID,Event Type,Customer ID,Customer Name
01/31/24,14:05:09,Eastern Time (US & Canada),Cakes,Cake,2,C1,"$1,012.50",$0.00,"$1,012.50",$8.00,T1,P1,Payment,CU1,Ann Lee
02/01/24,09:15:00,Eastern Time (US & Canada),Cakes,Cake,-1,C1,($6.25),$0.00,($6.25),$0.00,T2,P2,Refund,CU1,Ann Lee
02/01/24,10:15:00,Eastern Time (US & Canada),Cakes,Bun,4,B1,$25.00,($5.00),$20.00,$1.00,T3,P3,Payment,CU2,Bob Ray
02/03/24,10:15:00,Eastern Time (US & Canada),Cakes,Bun,2,B1,$12.50,$0.00,$12.50,$1.00,T4,P4,Payment,,
"""
        },
        ['thousands: ","', 'ordered_at: {columns: [Date, Time], format: "%m/%d/%y %H:%M:%S"}', "order_id: Transaction ID", "category: Category"],
        ["amount: Gross Sales", "amount: Net Sales", "- customer_missing", "- quantity_not_positive", "- {drop_where: {column: Event Type, in: [Refund]}}"],
    ),
    "amazon": (
        {
            "amazon.txt": """\
amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\titem-tax\tship-country\tbuyer-email
111-1\t2024-01-05T08:12:33+00:00\tShipped\tSKU1\t2\tEUR\t40.00\t6.40\tDE\ta@m.example
111-2\t2024-01-06T08:12:33+00:00\tCancelled\tSKU1\t0\tEUR\t\t\tDE\tb@m.example
111-3\t2024-01-07T08:12:33+00:00\tShipped\tSKU2\t1\tEUR\t200.00\t32.00\tFR\tb@m.example
111-4\t2024-01-07T09:12:33+00:00\tShipped\tSKU1\t1\tEUR\t20.00\t3.20\tFR\tc@m.example
111-5\t2024-01-08T09:12:33+00:00\tShipped\tSKU2\t3\tEUR\t600.00\t96.00\tFR\tc@m.example
"""
        },
        ['delimiter: "\\t"', "customer_id: buyer-email", "order_id: amazon-order-id", "ordered_at: purchase-date", "amount: item-price"],
        ["- {drop_where: {column: order-status, in: [Cancelled]}}", "ordered_at: {column: purchase-date, from_zone: UTC, to_zone: Europe/Berlin}"],
    ),
    "etsy": (
        {
            "etsy.csv": """\
Sale Date,Item Name,Buyer,Quantity,Price,Discount Amount,Order Shipping,Item Total,Currency,Transaction ID,Listing ID,Ship Name,Ship Country,Order ID
01/31/24,"Ring, silver",annl,2,30.00,0,5.00,60.00,USD,9001,801,Ann Lee,United States,7001
02/02/24,Necklace,bobr,1,45.00,0,5.00,45.00,USD,9002,802,Bob Ray,United States,7002
02/03/24,"Ring, silver",catp,3,30.00,0,5.00,90.00,USD,9003,801,Cat Poe,United States,7003
"""
        },
        ["currency: USD", "customer_id: Buyer", "order_id: Order ID", 'ordered_at: {column: Sale Date, format: "%m/%d/%y"}', "unit_price: Price"],
        ["amount: Item Total"],
    ),
    "paypal": (
        {
            "paypal.csv": """\
"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address","Transaction ID","Item Title","Item ID","Quantity"
"31/01/2024","14:05:09","CET","Ann Lee","Website Payment","Completed","EUR","1.020,00","-0,93","1.019,07","ann@example.org","8AB1","Mug","M1","1"
"01/02/2024","09:15:00","CET","Bob Ray","Website Payment","Completed","EUR","40,00","-1,51","38,49","bob@example.org","8AB2","Mug","M1","2"
"02/02/2024","09:15:00","CET","Ann Lee","Payment Refund","Completed","EUR","-20,00","0,93","-19,07","ann@example.org","8AB3","Mug","M1","1"
"""
        },
        ['decimal: ","', 'thousands: "."', "customer_id: From Email Address", 'ordered_at: {columns: [Date, Time], format: "%d/%m/%Y %H:%M:%S"}'],
        ["unit_price: Gross", "amount: Gross", "- amount_not_positive", "- {drop_where: {column: Type, in: [Payment Refund]}}"],
    ),
    "stripe": (
        {
            "stripe.csv": """\
id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email
ch_1,2024-01-05 23:12:33,20.00,0.00,eur,Paid,cus_1,a@example.org
ch_2,2024-02-05 23:12:33,30.00,30.00,eur,Refunded,cus_2,b@example.org
ch_3,2024-02-07 20:12:33,20.00,0.00,eur,Failed,cus_1,a@example.org
ch_4,2024-03-07 20:12:33,25.00,0.00,eur,Paid,cus_1,a@example.org
"""
        },
        ["customer_id: Customer ID", "order_id: id", "ordered_at: Created (UTC)"],
        ["amount: Amount", "amount: {column: Amount, minus: [Amount Refunded]}", "- {drop_where: {column: Status, in: [Failed, Refunded]}}"],
    ),
    "ga4": (
        {
            "ga4.jsonl": "\n".join(
                json.dumps(
                    {
                        "event_timestamp": str(1706745600123456 + n * 10**11), "user_pseudo_id": f"{n % 3}.17",
                        "ecommerce": {"transaction_id": f"T{n}", "purchase_revenue": 10.0 * (n + 1)},
                        "items": [{"item_id": "sku1", "item_name": "Mug", "quantity": n + 1, "price": 10.0}],
                    }
                )
                for n in range(5)
            )
        },
        [
            "explode: items", "customer_id: user_pseudo_id", "order_id: ecommerce.transaction_id", "unit_price: items.price",
            "ordered_at: {column: event_timestamp, format: epoch_us}", "product_id: items.item_id", "description: items.item_name",
        ],
        ["amount: ecommerce.purchase_revenue"],
    ),
    "magento": (
        {
            "magento.csv": """\
increment_id,created_at,status,customer_email,sku,name,qty_ordered,price,row_total,discount_amount,order_currency_code
000000101,2024-01-31 18:05:00,complete,a@example.org,M1,Mug,2,20.0000,40.0000,0.0000,EUR
000000102,2024-01-31 18:06:00,canceled,b@example.org,M1,Mug,1,20.0000,20.0000,0.0000,EUR
000000103,2024-02-01 18:06:00,complete,b@example.org,L1,Spoon,3,10.0000,30.0000,5.0000,EUR
"""
        },
        ["customer_id: customer_email", "order_id: increment_id", "quantity: qty_ordered", "description: name"],
        ["unit_price: price", "amount: row_total", "amount: {column: row_total, minus: [discount_amount]}"],
    ),
    "olist": (
        {
            "olist_orders.csv": """\
order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at
o1,c1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15
o2,c2,canceled,2017-11-02 10:56:33,
o3,c3,delivered,2017-12-02 10:56:33,2017-12-02 11:07:15
""",
            "olist_items.csv": """\
order_id,order_item_id,product_id,price,freight_value
o1,1,p1,58.90,13.29
o1,2,p1,58.90,13.29
o2,1,p2,10.00,3.00
o3,1,p2,10.00,3.00
""",
            "olist_customers.csv": "customer_id,customer_unique_id,customer_state\nc1,u1,SP\nc2,u1,SP\nc3,u2,RJ\n",
        },
        ["file: olist_items", "olist_orders: order_id", "olist_customers: customer_id", "ordered_at: order_purchase_timestamp", "amount: price"],
        ["customer_id: customer_id", "customer_id: customer_unique_id", "- {drop_where: {column: order_status, in: [canceled]}}"],
    ),
    "till": (
        {"till.csv": "sep=;\nKasse 1;;;\nBeleg;Kunde;Datum;Artikel;Menge;Betrag\n1;A;03/04/2024;x;1;2,5\n2;B;05/06/2024;y;2;5,0\n"},
        ["skip: 2", 'delimiter: ";"', 'decimal: ","', "order_id: Beleg", "customer_id: Kunde", "quantity: Menge"],
        ['ordered_at: {column: Datum, format: "%d/%m/%Y"}', 'ordered_at: {column: Datum, format: "%m/%d/%Y"}', "unit_price: Betrag", "amount: Betrag"],
    ),
    "cdnow": (
        {"cdnow.txt": " 00001 19970101  1  11.77\n 00002 19970112  1  12.00\n 00002 19970112  5  77.00\n"},
        ["delimiter: blanks", "header: [column_1, column_2, column_3, column_4]", 'ordered_at: {column: column_2, format: "%Y%m%d"}'],
        ["customer_id: …"],
    ),
    "old_till": (
        {"old.csv": "customer,receipt,date,sku,qty,price\nA,1,2024-01-02,x,1,1.250\nB,2,2024-01-03,y,2,2.500\n"},
        ['decimal: "?"'],
        ['decimal: "."', 'decimal: ","', 'thousands: "."'],
    ),
}  # fmt: skip

# What a person chooses, and the money that is left, by hand.
CHOICES = {
    "shopify": (["unit_price: {column: Lineitem price, minus_of_order: [Discount Amount, Refunded Amount]}",
                 "- {drop_where: {column: Financial Status, in: [voided], of: order}}"], "90.00"),  # 50 + 100 - 20 - 40
    "woocommerce": (["customer_id: billing_email", "- {drop_where: {column: status, in: [cancelled, refunded]}}"], "70.00"),
    "square": (["amount: Net Sales", "- customer_missing", "- quantity_not_positive"], "1032.50"),  # 1012.50 + 20
    "amazon": (["- {drop_where: {column: order-status, in: [Cancelled]}}"], "860.00"),
    "etsy": ([], "195.00"),
    "paypal": (["amount: Gross", "- amount_not_positive"], "1060.00"),
    "ga4": ([], "150.00"),
    "magento": (["amount: {column: row_total, minus: [discount_amount]}", "- {drop_where: {column: status, in: [canceled]}}"], "65.00"),
    "olist": (["customer_id: customer_unique_id", "- {drop_where: {column: order_status, in: [canceled]}}"], "127.80"),
    "till": (['ordered_at: {column: Datum, format: "%d/%m/%Y"}', "amount: Betrag"], "7.50"),
    "old_till": (['decimal: "."', "unit_price: price"], "6.25"),
}  # fmt: skip
